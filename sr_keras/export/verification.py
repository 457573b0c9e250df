"""Numerical verification of an exported file: it and its stage run on real slices, and their outputs are compared."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from sr_keras.engines.formats import Precision
from sr_keras.engines.interface import Images, NamedEngine
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.errors import ModelFileError
from sr_keras.evaluation.metrics import psnr
from sr_keras.export.reference_slices import ReferenceSlices, downsampled, fit_to_limits
from sr_keras.networks import output_factors

# Largest absolute error of float32 against Keras, in normalised intensities (0 to 1).
FLOAT32_ERROR = 1e-5
# Largest loss of PSNR against the ground truth, in dB, of a lower precision.
PSNR_LOSS: dict[Precision, float] = {"fp16": 0.02, "int8": 0.15}
# Relative errors are taken where the reference is at least this; in darker pixels they say little.
RELATIVE_FLOOR = 0.01
# Sizes of the batches of slices of the first and of the second size: two image sizes, three batch sizes.
BATCHES = ((1, 3), (2,))


@dataclass(frozen=True)
class Verification:
    """The differences between the outputs of an exported file and those of its reference.

    Attributes:
        status: "passed" or "not verified".
        reason: why it is not verified, and what was checked instead; empty if it passed.
        runtime: that ran the file, with its version.
        reference: the engine that it was compared with.
        batches: shapes (batch, height, width) that were run.
        largest_error: absolute, in normalised intensities (0 to 1).
        largest_relative_error: over the pixels whose reference is at least 0.01.
        psnr_to_reference: in dB, data_range 1; None if the outputs are equal.
        psnr_to_ground_truth: in dB, data_range 1; None if the outputs are equal.
        psnr_loss: PSNR of the reference to the ground truth minus that of the file, in dB.
    """

    status: Literal["passed", "not verified"]
    reason: str = ""
    runtime: str = ""
    reference: str = ""
    batches: tuple[tuple[int, ...], ...] = ()
    largest_error: float | None = None
    largest_relative_error: float | None = None
    psnr_to_reference: float | None = None
    psnr_to_ground_truth: float | None = None
    psnr_loss: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a manifest stores them."""
        return asdict(self)


def verify_outputs(
    engine: ModelFileEngine, reference: NamedEngine, precision: Precision, slices: ReferenceSlices, runtime: str
) -> Verification:
    """Compare an engine with its reference on real slices.

    Args:
        engine: of the exported file.
        reference: the stage on Keras, or an engine that was verified against it.
        precision: of the file.
        slices: ground truth slices of two sizes.
        runtime: that runs the file, with its version, for the record.

    Raises:
        ModelFileError: the difference exceeds the tolerance of its precision.
    """
    card, limits = engine.card, engine.shape_limits
    pairs = [
        downsampled(fit_to_limits(stack[:count], limits, output_factors(card.stage, card.scale)), card)
        for stack, counts in zip((slices.first, slices.second), BATCHES, strict=True)
        for count in counts
    ]
    # First, since it may load drivers that must neither come nor go after TensorFlow, see `sr_keras.engines.vulkan`.
    outputs = [engine.run(images) for images, _ in pairs]
    engine.release()
    with _exact_tensorflow():
        expected = [reference.run(images) for images, _ in pairs]
    verification = compare(
        outputs,
        expected,
        [ground_truth for _, ground_truth in pairs],
        batches=tuple(images.shape for images, _ in pairs),
        runtime=runtime,
        reference=f"{reference.name} on {reference.runtime}",
    )
    check(verification, precision, engine.name)
    return verification


def compare(
    outputs: Sequence[Images], expected: Sequence[Images], ground_truths: Sequence[Images], **record: Any
) -> Verification:
    """Return the differences of outputs from those of a reference and from the ground truth, over all batches.

    Args:
        outputs: of the exported file, a (batch, height, width) for each batch.
        expected: of the reference, with the same shapes.
        ground_truths: with the same shapes.
        record: further fields of the `Verification`.
    """
    output, reference, ground_truth = (
        np.concatenate([part.ravel() for part in parts]) for parts in (outputs, expected, ground_truths)
    )
    errors = np.abs(output.astype(np.float64) - reference)
    bright = np.abs(reference) >= RELATIVE_FLOOR
    to_ground_truth = psnr(ground_truth, output, data_range=1)
    return Verification(
        "passed",
        largest_error=float(errors.max()),
        largest_relative_error=float((errors[bright] / np.abs(reference[bright])).max(initial=0.0)),
        psnr_to_reference=_finite(psnr(reference, output, data_range=1)),
        psnr_to_ground_truth=_finite(to_ground_truth),
        psnr_loss=psnr(ground_truth, reference, data_range=1) - to_ground_truth,
        **record,
    )


def check(verification: Verification, precision: Precision, name: str) -> None:
    """Refuse a difference that exceeds the tolerance of a precision.

    Args:
        verification: the differences.
        precision: of the file.
        name: of the file, for the message.

    Raises:
        ModelFileError: the difference exceeds the tolerance, or is not a number.
    """
    if precision == "fp32":
        tolerance, value, difference = FLOAT32_ERROR, verification.largest_error, "differs from its reference by {}"
    else:
        tolerance, value, difference = PSNR_LOSS[precision], verification.psnr_loss, "loses {} dB of PSNR"
    if value is None or not value <= tolerance:
        raise ModelFileError(
            f"{name} {difference.format(f'{value:.3g}')}, and {precision} allows at most {tolerance:g}; use a higher "
            "precision."
        )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


@contextmanager
def _exact_tensorflow() -> Iterator[None]:
    """Disable TF32 and TensorFlow's log output while TensorFlow computes the reference."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        yield
        return
    settings, logger = tensorflow.config.experimental, logging.getLogger("tensorflow")
    before, level = settings.tensor_float_32_execution_enabled(), logger.level
    settings.enable_tensor_float_32_execution(False)
    # It warns of retracing for each image size, which is intended here.
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        settings.enable_tensor_float_32_execution(before)
