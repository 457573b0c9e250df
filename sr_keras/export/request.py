"""An export request, and what the writers of all formats share."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FormatName, Precision
from sr_keras.engines.interface import Images
from sr_keras.engines.manifest import UPSAMPLED_AXES, Manifest, versions_of
from sr_keras.engines.signature import ShapeLimits, tensors
from sr_keras.errors import ConfigurationError
from sr_keras.export.reference_slices import ReferenceSlices, fit_to_limits, shipped_reference_slices
from sr_keras.framework import load_keras, silent_libraries
from sr_keras.models.own import ModelStage
from sr_keras.models.stages import Stage, network_of
from sr_keras.networks import output_factors
from sr_keras.networks.inspection import network_at_policy

# (batch, height, width) of the input; None is free.
Shape = tuple[int | None, int | None, int | None]
FREE: Shape = (None, None, None)
# Largest workspace of a TensorRT engine, in bytes.
WORKSPACE = 1 << 30


@dataclass(frozen=True)
class Request:
    """One file to export.

    Attributes:
        stage: the trained stage; of a Keras model at hand, `KerasEngine(model, ...).stage`.
        precision: of the file.
        slices: real slices for the calibration of int8 and for the verification; those that ship if not given.
        shape: (batch, height, width) of the input; None is free.
        intermediate: whether the file has the output `intermediate` too.
        compute_capabilities: of the GPUs that a TensorRT-RTX engine is built for, "SM89"; empty is all.
        workspace: largest workspace of a TensorRT engine, in bytes.
        timing_cache: file in which TensorRT keeps its measurements for the next build; set by `export_stage`.
    """

    stage: Stage
    precision: Precision = "fp32"
    slices: ReferenceSlices = field(default_factory=shipped_reference_slices)
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
        """The input shapes that the file accepts."""
        return ShapeLimits(*((1, None) if length is None else (length, length) for length in self.shape))

    def model(self, policy: str = "float32") -> Any:
        """Return the Keras model with the requested outputs.

        Args:
            policy: Keras dtype policy of its layers.
        """
        keras, trained, card = load_keras(), self.stage.network, self.stage.card
        network = trained
        if policy != "float32" and isinstance(self.stage, ModelStage) and not card.chain:
            network = network_at_policy(trained, policy)
        elif policy != "float32":
            network = network_of(card, policy)
            network.set_weights(trained.get_weights())
        return keras.Model(network.input, {name: network.output[name] for name in self.outputs})

    def signature(self) -> list[Any]:
        """Return the input signature for Keras's `Model.export`."""
        return [load_keras().InputSpec(shape=(*self.shape, 1), dtype="float32", name="lr")]

    def calibration_inputs(self) -> Iterator[Images]:
        """Yield the batches (batch, height, width) for the calibration of int8, in the input's shape."""
        for images in self.slices.calibration_inputs(self.stage.card):
            yield fit_to_limits(images, self.shape_limits)

    def manifest(self, kind: FormatName, packages: tuple[str, ...], **details: Any) -> Manifest:
        """Return the manifest of the file, still without its SHA-256 and verification.

        Args:
            kind: the format.
            packages: whose versions are recorded besides those of Keras, TensorFlow and numpy.
            details: fields that differ from those of a file for any hardware.
        """
        card = self.stage.card
        height, width = output_factors(card.stage, card.scale)
        batch, rows, columns = self.shape
        upsampled = (batch, None if rows is None else rows * height, None if columns is None else columns * width)
        general: dict[str, Any] = {"shape_limits": self.shape_limits, "target": {"hardware": "any"}}
        return Manifest(
            format=kind,
            precision=self.precision,
            card=card,
            inputs=tensors(("lr",), self.shape),
            outputs=tensors(self.outputs, upsampled),
            versions=versions_of("keras", "tensorflow", "tensorflow-cpu", "numpy", *packages),
            axes=UPSAMPLED_AXES[card.stage],
            **general | details,
        )


def parse_shape(text: str) -> Shape:
    """Return the shape that a text denotes; "?" is a free axis.

    Raises:
        ConfigurationError: the text is not of the form 1x256x256.

    >>> parse_shape("1x256x?")
    (1, 256, None)
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part == "?" or (part.isdigit() and int(part) > 0) for part in parts):
        raise ConfigurationError(
            f"{text} is not a shape; write batch, height and width as in 1x256x256, with ? for a free axis."
        )
    batch, height, width = (None if part == "?" else int(part) for part in parts)
    return batch, height, width


@contextmanager
def quiet() -> Iterator[None]:
    """Silence converters, which log their progress as warnings."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl", "root")]
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
