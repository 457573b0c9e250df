"""Reversible scaling of intensities to the range the networks are trained on, and where a scan has tissue."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.errors import VolumeError
from sr_keras.volumes.volume import Array, Modality, Volume

# Air in Hounsfield units: the floor of a CT's scale. Scanners fill the corners outside their field of view with less.
CT_FLOOR = -1024.0
# The share of voxels below the value that becomes 1; the rest (metal, vessels, noise) lies above 1 and is not clipped.
CEILING_PERCENTILE: dict[Modality, float] = {"CT": 99.95, "MR": 99.9}
# Soft tissue and lung vessels lie above this, air and most of the lung below it, in HU.
CT_TISSUE = -500.0
# Tissue in an MRI, as a fraction of the normalised range: above the noise of the background.
MR_TISSUE = 0.05
# A slice with fewer tissue voxels than this fraction has nothing that could be measured.
TISSUE_FRACTION = 0.02
# Percentiles are taken over at most this many evenly strided voxels: more change nothing that can be seen.
PERCENTILE_SAMPLES = 1 << 24


@dataclass(frozen=True)
class Normalization:
    """The map between a scan's own units and the networks' unit range.

    Attributes:
        floor: the value that becomes 0, in the scan's units.
        ceiling: the value that becomes 1, in the scan's units; values beyond it go beyond 1 and come back unchanged.
    """

    floor: float
    ceiling: float

    @property
    def data_range(self) -> float:
        """Ceiling - floor, in the scan's units: the data_range of every PSNR and SSIM in this package."""
        return self.ceiling - self.floor

    def apply(self, voxels: Array) -> npt.NDArray[np.float32]:
        """Return voxels of any real dtype in the networks' range, float32, same shape."""
        result = voxels.astype(np.float32)
        result -= np.float32(self.floor)
        result /= np.float32(self.data_range)
        return result

    def invert(
        self, normalized: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return normalised voxels in the scan's own units, float32, same shape.

        Args:
            normalized: any shape.
            out: the array to write to, which may be `normalized` itself; None makes one.

        Raises:
            VolumeError: a value is NaN, or beyond what float32 holds.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            result = np.multiply(normalized, np.float32(self.data_range), out=out)
            result += np.float32(self.floor)
        # Minimum and maximum pass on NaN and infinity, and need no memory.
        if not (np.isfinite(result.min()) and np.isfinite(result.max())):
            raise VolumeError("The result has values beyond what float32 holds; rescale the scan's values first.")
        return result


def normalization_of(volume: Volume) -> Normalization:
    """Return the normalisation of a scan.

    CT: -1024 HU to the 99.95th percentile. MR: zero, or the least value where that is negative, to the 99.9th
    percentile. A scan without contrast gets a range of 1.
    """
    modality = volume.modality or "MR"
    voxels = volume.voxels.ravel(order="K")
    sample = voxels[:: -(-voxels.size // PERCENTILE_SAMPLES)]
    floor = CT_FLOOR if modality == "CT" else min(0.0, volume.value_range[0])
    ceiling = float(np.percentile(sample, CEILING_PERCENTILE[modality]))
    if ceiling <= floor:
        ceiling = volume.value_range[1]
    return Normalization(floor, ceiling if ceiling > floor else floor + 1.0)


def tissue_mask(volume: Volume, normalization: Normalization) -> npt.NDArray[np.bool_]:
    """Return where a scan shows tissue rather than air or background.

    Args:
        volume: CT tissue lies above -500 HU.
        normalization: of that volume; MR tissue lies above 5 % of its range.

    Returns:
        (i, j, k), bool.
    """
    threshold = CT_TISSUE if volume.modality == "CT" else normalization.floor + MR_TISSUE * normalization.data_range
    mask: npt.NDArray[np.bool_] = volume.voxels > threshold
    return mask


def tissue_slices(mask: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.intp]:
    """Return the slices in which at least 2 % of the voxels are tissue.

    Args:
        mask: (i, j, k), as `tissue_mask` returns it.
        axis: 0, 1 or 2; slices are cut across it.

    Returns:
        Their indices along `axis`, ascending.
    """
    in_plane = tuple(other for other in range(3) if other != axis)
    return np.flatnonzero(mask.mean(axis=in_plane) >= TISSUE_FRACTION)


def evenly(indices: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """Return `count` of some indices, evenly; all of them where there are fewer."""
    if count >= indices.size:
        return indices
    return np.asarray(indices[(2 * np.arange(count) + 1) * indices.size // (2 * count)])
