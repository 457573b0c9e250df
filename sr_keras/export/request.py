"""What is to be exported, and how the writers of all formats get at it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FormatName, Precision
from sr_keras.engines.interface import Images
from sr_keras.engines.manifest import ENLARGED, Manifest, versions_of
from sr_keras.engines.signature import ShapeLimits, tensors
from sr_keras.errors import ConfigurationError
from sr_keras.export.reference_slices import ReferenceSlices, fit_to_limits
from sr_keras.framework import load_keras, silent_libraries
from sr_keras.models.stages import TrainedStage
from sr_keras.networks import build_network, output_factors

# (batch, height, width) of the input; None is free.
Shape = tuple[int | None, int | None, int | None]
FREE: Shape = (None, None, None)
# Scratch memory that a TensorRT engine may ask for at the top of its profile, in bytes.
WORKSPACE = 1 << 30


@dataclass(frozen=True)
class Request:
    """One file to be made.

    Attributes:
        stage: the trained stage.
        precision: of the file.
        slices: real ones, for the calibration of int8.
        shape: of the input; None is free.
        intermediate: whether the output of that name is wanted too.
        compute_capabilities: of the GPUs a TensorRT-RTX engine is for, "SM89".
        workspace: bytes that a TensorRT engine may ask for.
        timing_cache: a file in which TensorRT keeps what it measured, for the next build.
    """

    stage: TrainedStage
    precision: Precision
    slices: ReferenceSlices
    shape: Shape = FREE
    intermediate: bool = False
    compute_capabilities: tuple[str, ...] = ()
    workspace: int = WORKSPACE
    timing_cache: Path | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return ("final", "intermediate") if self.intermediate else ("final",)

    @property
    def shape_limits(self) -> ShapeLimits:
        """The batches that a file of this shape takes."""
        return ShapeLimits(*((1, None) if length is None else (length, length) for length in self.shape))

    def model(self, policy: str = "float32") -> Any:
        """Return the Keras model with the outputs wanted, its weights in the type of a dtype policy."""
        keras, trained, card = load_keras(), self.stage.network, self.stage.card
        network = trained
        if policy != "float32":
            network = build_network(card.family, card.stage, card.scale, policy)
            network.set_weights(trained.get_weights())
        return keras.Model(network.input, {name: network.output[name] for name in self.outputs})

    def signature(self) -> list[Any]:
        """Return the input's signature for Keras's `Model.export`."""
        return [load_keras().InputSpec(shape=(*self.shape, 1), dtype="float32", name="lr")]

    def calibration_inputs(self) -> Iterator[Images]:
        """Yield the batches (batch, height, width) that int8 is calibrated on, of the shape of the input."""
        for images in self.slices.calibration_inputs(self.stage.card):
            yield fit_to_limits(images, self.shape_limits)

    def manifest(self, kind: FormatName, packages: tuple[str, ...], **details: Any) -> Manifest:
        """Return the manifest of the file, without its SHA-256 and parity.

        Args:
            kind: the format.
            packages: whose versions are recorded.
            details: fields that differ from those of a file for any hardware.
        """
        card = self.stage.card
        height, width = output_factors(card.stage, card.scale)
        batch, rows, columns = self.shape
        enlarged = (batch, None if rows is None else rows * height, None if columns is None else columns * width)
        general: dict[str, Any] = {"shape_limits": self.shape_limits, "target": {"hardware": "any"}}
        return Manifest(
            format=kind,
            precision=self.precision,
            card=card,
            inputs=tensors(("lr",), self.shape),
            outputs=tensors(self.outputs, enlarged),
            versions=versions_of("keras", "tensorflow", "tensorflow-cpu", "numpy", *packages),
            axes=ENLARGED[card.stage],
            **general | details,
        )


def parse_shape(text: str) -> Shape:
    """Return the shape that "1x256x256" stands for; "?" leaves an axis free.

    Raises:
        ConfigurationError: it is no such text.
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part == "?" or (part.isdigit() and int(part) > 0) for part in parts):
        raise ConfigurationError(
            f"A shape must be batch, height and width as in 1x256x256, ? for a free one. Received: {text}."
        )
    batch, height, width = (None if part == "?" else int(part) for part in parts)
    return batch, height, width


@contextmanager
def quiet() -> Iterator[None]:
    """Keep converters from talking: they log at the level of warnings whatever they do."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl", "root")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with silent_libraries(), redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
