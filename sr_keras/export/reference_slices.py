"""Real slices: what int8 is calibrated on, and what exported files are compared with Keras on.

Those that ship come from `samples/t1w_brain.nii.gz`; `export/make_slices.py` made them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import VolumeError
from sr_keras.models.stages import StageCard
from sr_keras.networks import output_factors
from sr_keras.volumes.normalization import normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume, format_shape

Stack = npt.NDArray[np.float32]
# Slices of each kind that are taken from a scan: for calibration, and for each of two sizes for comparison.
CALIBRATION, COMPARISON = 8, 3
SHIPPED = "slices.npz"
KEYS = ("calibration", "first", "second")


@dataclass(frozen=True)
class ReferenceSlices:
    """Normalised slices of a scan, float32, (slice, height, width).

    Attributes:
        calibration: those that int8 may see.
        first: others, for comparison.
        second: still others, of another size.
    """

    calibration: Stack
    first: Stack
    second: Stack

    def calibration_inputs(self, card: StageCard) -> Iterator[Stack]:
        """Yield the inputs (1, height, width) that a stage is calibrated on."""
        for number in range(len(self.calibration)):
            yield reduced(self.calibration[number : number + 1], card)[0]


def reduced(ground_truth: Stack, card: StageCard) -> tuple[Stack, Stack]:
    """Return a stage's input for true slices, and those slices cropped to whole multiples of its factors."""
    factors = output_factors(card.stage, card.scale)
    height, width = (length // factor * factor for length, factor in zip(ground_truth.shape[1:], factors, strict=True))
    cropped = np.ascontiguousarray(ground_truth[:, :height, :width])
    return np.maximum(downsample_volume(cropped, (1, *factors)), 0), cropped


def fit_to_limits(images: Stack, limits: ShapeLimits, factors: tuple[int, int] = (1, 1)) -> Stack:
    """Return images cropped, or mirrored on, to a batch within limits.

    Args:
        images: (batch, height, width).
        limits: of the input of a network.
        factors: by which height and width of these images are larger than that input.
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
    """Return the slices that come with the package."""
    path = Path(str(files("sr_keras") / "export" / SHIPPED))
    with np.load(path, allow_pickle=False) as content:
        return ReferenceSlices(*(content[key].astype(np.float32) for key in KEYS))


def reference_slices_of(volume: Volume) -> ReferenceSlices:
    """Take slices with tissue from a scan, evenly spread: across its third axis, and across its first.

    Raises:
        VolumeError: too few slices have tissue in them.
    """
    normalization = normalization_of(volume)
    voxels = np.maximum(normalization.apply(volume.voxels), 0)
    mask = tissue_mask(volume, normalization)
    third, first = tissue_slices(mask, 2), tissue_slices(mask, 0)
    if len(third) < CALIBRATION + COMPARISON or len(first) < COMPARISON:
        raise VolumeError(
            f"{volume.source}: slices for export are taken from a scan with at least {CALIBRATION + COMPARISON} slices "
            f"of tissue. Received: {format_shape(volume.shape)}. Give a larger scan."
        )
    order = _evenly(third, CALIBRATION + COMPARISON)
    compared = order[1 :: len(order) // COMPARISON][:COMPARISON]
    calibration = [index for index in order if index not in compared]
    return ReferenceSlices(
        np.moveaxis(voxels[:, :, calibration], 2, 0),
        np.moveaxis(voxels[:, :, compared], 2, 0),
        voxels[_evenly(first, COMPARISON)],
    )


def _evenly(indices: npt.NDArray[np.intp], count: int) -> list[int]:
    return [int(indices[(2 * number + 1) * len(indices) // (2 * count)]) for number in range(count)]
