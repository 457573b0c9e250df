"""Real slices for the calibration of int8 and for the verification of exported files.

Those that ship are slices of `samples/t1w_brain.nii.gz`, written by `export/make_slices.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import VolumeError
from sr_keras.models.cards import StageCard
from sr_keras.networks import output_factors
from sr_keras.volumes.normalization import evenly, normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume, format_shape

Stack = npt.NDArray[np.float32]
# Number of slices from a scan: for calibration, and of each of two sizes for verification.
CALIBRATION, VERIFICATION = 8, 3
SHIPPED = "slices.npz"
KEYS = ("calibration", "first", "second")


@dataclass(frozen=True)
class ReferenceSlices:
    """Normalised slices of a scan, float32, (slice, height, width).

    Attributes:
        calibration: slices for the calibration of int8.
        first: other slices, for verification.
        second: slices of another size, for verification.
    """

    calibration: Stack
    first: Stack
    second: Stack

    def calibration_inputs(self, card: StageCard) -> Iterator[Stack]:
        """Yield the low-resolution inputs (1, height, width) that a stage is calibrated on."""
        for number in range(len(self.calibration)):
            yield downsampled(self.calibration[number : number + 1], card)[0]


def downsampled(ground_truth: Stack, card: StageCard) -> tuple[Stack, Stack]:
    """Return a stage's input for ground truth slices, and those slices cropped to multiples of its factors.

    Args:
        ground_truth: (slice, height, width), normalised, float32.
        card: of the stage.

    Returns:
        The input (slice, height / scale, width / scale), for the d stage (slice, height, width / scale), and the
        cropped ground truth.
    """
    factors = output_factors(card.stage, card.scale)
    height, width = (length // factor * factor for length, factor in zip(ground_truth.shape[1:], factors, strict=True))
    cropped = np.ascontiguousarray(ground_truth[:, :height, :width])
    return np.maximum(downsample_volume(cropped, (1, *factors)), 0), cropped


def fit_to_limits(images: Stack, limits: ShapeLimits, factors: tuple[int, int] = (1, 1)) -> Stack:
    """Return images cropped, or padded by mirroring, to a shape within limits.

    Args:
        images: (batch, height, width).
        limits: the input shapes that an engine accepts.
        factors: by which height and width of the images are larger than that input, 1 or more.
    """
    ranges = (limits.batch, limits.height, limits.width)
    for axis, ((low, high), factor) in enumerate(zip(ranges, (1, *factors), strict=True)):
        length = images.shape[axis] // factor
        wanted = max(low, length if high is None else min(length, high)) * factor
        missing = max(0, wanted - images.shape[axis])
        widths = [(0, missing if other == axis else 0) for other in range(3)]
        images = np.pad(images, widths, mode="symmetric").take(range(wanted), axis)
    return images


def shipped_reference_slices() -> ReferenceSlices:
    """Return the slices that ship with the package."""
    path = Path(str(files("sr_keras") / "export" / SHIPPED))
    with np.load(path, allow_pickle=False) as content:
        return ReferenceSlices(*(content[key].astype(np.float32) for key in KEYS))


def reference_slices_of(volume: Volume) -> ReferenceSlices:
    """Return slices with tissue from a scan, evenly spread along its third axis and along its first.

    Raises:
        VolumeError: too few slices contain tissue.
    """
    normalization = normalization_of(volume)
    voxels = np.maximum(normalization.apply(volume.voxels), 0)
    mask = tissue_mask(volume, normalization)
    third, first = tissue_slices(mask, 2), tissue_slices(mask, 0)
    if len(third) < CALIBRATION + VERIFICATION or len(first) < VERIFICATION:
        raise VolumeError(
            f"{volume.source} ({format_shape(volume.shape)}) has fewer than {CALIBRATION + VERIFICATION} slices with "
            "tissue; choose a larger scan."
        )
    order = [int(each) for each in evenly(third, CALIBRATION + VERIFICATION)]
    verification = order[1 :: len(order) // VERIFICATION][:VERIFICATION]
    calibration = [index for index in order if index not in verification]
    return ReferenceSlices(
        np.moveaxis(voxels[:, :, calibration], 2, 0),
        np.moveaxis(voxels[:, :, verification], 2, 0),
        voxels[evenly(first, VERIFICATION)],
    )
