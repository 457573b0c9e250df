"""Low-resolution scans as a scanner would have made them, for evaluation."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.description import Acquisition
from sr_keras.acquisition.simulation import acquire
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.volume import Volume

Floats = npt.NDArray[np.float32]
# Downsamples the voxels of a scan (i, j, k) by factors along i, j, k.
Downsampling = Callable[[Floats, Sequence[int]], Floats]


def acquired_as(acquisition: Acquisition, scan: Volume, axis: int) -> Downsampling:
    """Return what downsamples a scan as an acquisition would, with the same noise at every call.

    Args:
        acquisition: the scanner.
        scan: in HU, or in any unit; Rician noise is relative to its range.
        axis: the through-plane axis of the scan: 0, 1 or 2.
    """
    data_range = normalization_of(scan).data_range
    order = (axis, *(each for each in range(3) if each != axis))

    def downsample(voxels: Floats, factors: Sequence[int]) -> Floats:
        stack = np.ascontiguousarray(voxels.transpose(order), np.float32)
        slices, rows, columns = (int(factors[each]) for each in order)
        generator = np.random.default_rng(0)
        low = acquire(stack, (slices, rows, columns), acquisition, generator, data_range=data_range)
        return np.ascontiguousarray(low.transpose(np.argsort(order)))

    return downsample
