"""Proof that an exported file computes what its stage computes: both run on real slices, and their results compared."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from sr_keras.engines.formats import Precision
from sr_keras.engines.interface import Images, NamedEngine
from sr_keras.errors import ModelFileError
from sr_keras.export.reference_slices import ReferenceSlices, fit_to_limits, reduced
from sr_keras.networks import output_factors

# The largest difference from Keras that float32 may have, on the networks' range of 0 to 1.
FLOAT32_ERROR = 1e-5
# The PSNR against the truth that a lower precision may lose, in dB.
PSNR_LOSS: dict[Precision, float] = {"fp16": 0.02, "int8": 0.15}
# Relative errors are taken where the reference is at least this: below it they only say how dark a pixel is.
RELATIVE_FLOOR = 0.01
# How many slices of the first and of the second size make a batch: two sizes, three batch sizes.
BATCHES = ((1, 3), (2,))


@dataclass(frozen=True)
class Verification:
    """How far an exported file is from its reference.

    Attributes:
        status: "passed" or "not verified".
        reason: why it is not verified, and what was checked instead.
        runtime: what ran the file.
        reference: what it was compared with.
        batches: that were run, (batch, height, width).
        largest_error: absolute, on the networks' range of 0 to 1.
        largest_relative_error: where the reference is at least 0.01.
        psnr_to_reference: in dB, data_range 1; None where both are equal.
        psnr_to_ground_truth: the same against the true slices.
        psnr_loss: the reference's PSNR against the truth less the file's, in dB.
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
        """Return what a manifest keeps."""
        return asdict(self)


def verify_outputs(
    engine: NamedEngine, reference: NamedEngine, precision: Precision, slices: ReferenceSlices, runtime: str
) -> Verification:
    """Compare an engine with its reference on real slices.

    Args:
        engine: the exported file.
        reference: the stage on Keras, or what was proved equal to it.
        precision: of the file.
        slices: true slices of two sizes.
        runtime: what runs the file, for the record.

    Raises:
        ModelFileError: the difference is over the limit of its precision.
    """
    card, limits = engine.card, engine.shape_limits
    pairs = [
        reduced(fit_to_limits(stack[:count], limits, output_factors(card.stage, card.scale)), card)
        for stack, counts in zip((slices.first, slices.second), BATCHES, strict=True)
        for count in counts
    ]
    with _exact_tensorflow():
        expected = [reference.run(images) for images, _ in pairs]
    verification = compare(
        [engine.run(images) for images, _ in pairs],
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
    """Return the figures of outputs against those of a reference and against the truth, over all batches together."""
    output, reference, ground_truth = (
        np.concatenate([part.ravel() for part in parts]) for parts in (outputs, expected, ground_truths)
    )
    errors = np.abs(output.astype(np.float64) - reference)
    bright = np.abs(reference) >= RELATIVE_FLOOR
    to_truth = psnr(ground_truth, output)
    return Verification(
        "passed",
        largest_error=float(errors.max()),
        largest_relative_error=float((errors[bright] / np.abs(reference[bright])).max(initial=0.0)),
        psnr_to_reference=_finite(psnr(reference, output)),
        psnr_to_ground_truth=_finite(to_truth),
        psnr_loss=psnr(ground_truth, reference) - to_truth,
        **record,
    )


def check(verification: Verification, precision: Precision, name: str) -> None:
    """Refuse a difference over the limit of a precision.

    Raises:
        ModelFileError: it is.
    """
    if precision == "fp32":
        limit, value, what = FLOAT32_ERROR, verification.largest_error, "differ from its reference by at most"
    else:
        limit, value, what = PSNR_LOSS[precision], verification.psnr_loss, "lose at most, in dB against the truth,"
    if value is None or not value <= limit:
        raise ModelFileError(
            f"A file of precision {precision} must {what} {limit:g}. Received: {value:.3g} for {name}. "
            "Use a higher precision."
        )


def psnr(expected: Images, received: Images) -> float:
    """Return the PSNR in dB of arrays on the networks' range (data_range 1); infinite where they are equal."""
    error = float(np.mean((expected.astype(np.float64) - received) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


@contextmanager
def _exact_tensorflow() -> Iterator[None]:
    """Keep TensorFlow from rounding to TF32 on a GPU, and from talking, while it is the reference."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        yield
        return
    settings, logger = tensorflow.config.experimental, logging.getLogger("tensorflow")
    before, level = settings.tensor_float_32_execution_enabled(), logger.level
    settings.enable_tensor_float_32_execution(False)
    # It warns that each size of image is traced anew, which is what is wanted here.
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        settings.enable_tensor_float_32_execution(before)
