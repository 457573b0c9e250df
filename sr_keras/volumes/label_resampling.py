"""Label maps onto another grid: each voxel gets the label with the largest share around it, never a value in between.

The mask of each label is interpolated linearly, over a wider range where the grid gets coarser, and the label with the
largest value wins: the share of each label in the voxel, a partial volume. Only voxels near a border between labels are
computed, of the few labels around them, so that the time does not depend on how many labels there are.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.slab_buffers import spans
from sr_keras.volumes.volume import Array

LabelInterpolation = Literal["majority", "nearest"]
# Voxels that are computed at once; a slab has at least one slice.
VOXELS = 1 << 20
# Voxels near a border whose neighbours are held at once.
BORDER_VOXELS = 1 << 16
# A share must be larger by this to win over the nearest label: rounding decides nothing.
LEAD = 1e-5
# Centres this far outside the outer edges still count as inside, in voxels.
EDGE = 1e-3


def resample_labels(
    labels: Array, shape: tuple[int, int, int], to_source: Affine, interpolation: LabelInterpolation = "majority"
) -> Iterator[tuple[slice, Array]]:
    """Yield a label map on another grid, slab by slab.

    Args:
        labels: (i, j, k), integer or float.
        shape: of the new grid, along i, j, k.
        to_source: 4 x 4, voxel indices of the new grid to those of `labels`.
        interpolation: "majority" takes the label with the largest share, "nearest" that of the nearest voxel.

    Yields:
        A span of k, and the labels there, (i, j, k), of the type of `labels`. Beyond the map they are 0, the
        background.
    """
    steps = np.maximum(np.linalg.norm(to_source[:3, :3], axis=1), 1.0)
    uniform = None if interpolation == "nearest" else _uniform(labels, [int(step + 0.5) for step in steps])
    columns, rows, length = shape
    plane = np.stack(np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")).reshape(2, -1)
    for span in spans(length, max(1, VOXELS // (columns * rows))):
        slab = np.empty((columns * rows, span.stop - span.start), labels.dtype)
        for number, k in enumerate(range(span.start, span.stop)):
            grid = np.concatenate([plane, np.full((1, plane.shape[1]), k)]).astype(np.float64)
            slab[:, number] = _plane(labels, uniform, to_source[:3, :3] @ grid + to_source[:3, 3:], steps)
        yield span, slab.reshape(columns, rows, -1)


def _plane(
    labels: Array, uniform: npt.NDArray[np.bool_] | None, places: npt.NDArray[np.float64], steps: npt.NDArray[Any]
) -> Array:
    """Return the labels at places (3, n), in voxels of the map."""
    lengths = np.array(labels.shape)[:, None]
    nearest = np.clip(np.floor(places + 0.5).astype(np.intp), 0, lengths - 1)
    found: Array = labels[tuple(nearest)]
    inside = ((places > -0.5 - EDGE) & (places < lengths - 0.5 + EDGE)).all(axis=0)
    if uniform is not None:
        border = np.flatnonzero(inside & ~uniform[tuple(nearest)])
        for part in spans(border.size, BORDER_VOXELS):
            chosen = border[part]
            found[chosen] = _majority(labels, places[:, chosen], found[chosen], steps)
    found[~inside] = 0
    return found


def _majority(labels: Array, places: npt.NDArray[np.float64], nearest: Array, steps: npt.NDArray[Any]) -> Array:
    """Return the label with the largest share at each place; that of the nearest voxel where none has a larger one."""
    taps, weights = zip(*(_taps(places[axis], labels.shape[axis], steps[axis]) for axis in range(3)), strict=True)
    counts = [len(each) for each in taps]
    every = [(a, b, c) for a in range(counts[0]) for b in range(counts[1]) for c in range(counts[2])]
    around = np.stack([labels[taps[0][a], taps[1][b], taps[2][c]] for a, b, c in every])
    shares = np.stack([weights[0][a] * weights[1][b] * weights[2][c] for a, b, c in every])
    best, largest = nearest.copy(), np.where(around == nearest, shares, 0).sum(axis=0) + LEAD
    values = np.unique(around)
    candidates = (np.full_like(nearest, value) for value in values) if len(values) < len(every) else iter(around)
    for candidate in candidates:
        share = np.where(around == candidate, shares, 0).sum(axis=0)
        wins = share > largest
        best[wins], largest[wins] = candidate[wins], share[wins]
    return best


def _taps(centres: npt.NDArray[np.float64], length: int, step: float) -> tuple[Array, Array]:
    """Return the samples around each centre on an axis, and their weights: (samples, n) both."""
    offsets = np.arange(ceil(2 * step) + 1)[:, None]
    indices = np.floor(centres - step).astype(np.intp) + 1 + offsets
    weights = np.maximum(0.0, 1 - np.abs(indices - centres) / step)
    used = weights.any(axis=1)
    indices, weights = indices[used], weights[used]
    return np.clip(indices, 0, length - 1), (weights / weights.sum(axis=0)).astype(np.float32)


def _uniform(labels: Array, radii: list[int]) -> npt.NDArray[np.bool_]:
    """Return where all voxels within a distance along each axis have one label."""
    least, greatest = labels, labels
    for axis, radius in enumerate(radii):
        least, greatest = _filtered(least, axis, radius, np.minimum), _filtered(greatest, axis, radius, np.maximum)
    same: npt.NDArray[np.bool_] = least == greatest
    return same


def _filtered(values: Array, axis: int, radius: int, choose: Any) -> Array:
    """Return the least or the greatest value within a distance along an axis; the map ends at its edges."""
    result = values.copy()
    length = values.shape[axis]
    for shift in range(1, min(radius, length - 1) + 1):
        low, high = ((slice(None),) * axis + (part,) for part in (slice(None, length - shift), slice(shift, None)))
        choose(result[low], values[high], out=result[low])
        choose(result[high], values[low], out=result[high])
    return result
