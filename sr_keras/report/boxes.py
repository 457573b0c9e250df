"""Boxes of voxels: where a scan has tissue, the same place on another grid, and a smaller box about the same middle."""

from itertools import product

import numpy as np

from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.normalization import normalization_of, tissue_mask
from sr_keras.volumes.volume import Volume

Box = tuple[slice, slice, slice]

# Slices with a smaller part of tissue hold noise and ghosts alone.
LEAST_TISSUE = 0.002
# Voxels of air that are kept around tissue.
MARGIN = 2
# Edges that are this close to the edge of a voxel, in voxels, lie on it.
ON_EDGE = 1e-3
# Halvings of the interval in which the longest side of a smaller box is sought.
HALVINGS = 60


def whole_box(shape: tuple[int, int, int]) -> Box:
    """Return the box of all voxels of a shape."""
    i, j, k = (slice(0, length) for length in shape)
    return i, j, k


def tissue_box(volume: Volume) -> Box:
    """Return the smallest box around the tissue of a scan, and two voxels of margin; all of a scan without tissue."""
    mask = tissue_mask(volume, normalization_of(volume))
    sides = []
    for axis, length in enumerate(volume.shape):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.mean(axis=others) >= LEAST_TISSUE)
        if not found.size:
            return whole_box(volume.shape)
        sides.append(slice(max(0, int(found[0]) - MARGIN), min(length, int(found[-1]) + 1 + MARGIN)))
    i, j, k = sides
    return i, j, k


def lengths(box: Box) -> tuple[int, int, int]:
    """Return the number of voxels along each side."""
    i, j, k = (side.stop - side.start for side in box)
    return i, j, k


def cropped(volume: Volume, box: Box) -> Volume:
    """Return the part of a volume in a box, where it was; a copy, so that the rest can be forgotten."""
    start = np.array([side.start for side in box], np.float64)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ start
    return volume.with_voxels(volume.voxels[box].copy(order="F"), affine)


def box_on(box: Box, affine: Affine, other: Affine, shape: tuple[int, int, int]) -> Box:
    """Return the smallest box on another grid that holds a box, cut off at the grid's own edges.

    Args:
        box: on the grid of `affine`.
        affine: 4 x 4, voxel indices to mm.
        other: that of the other grid.
        shape: of the other grid; a side of the box that lies outside becomes empty.
    """
    # Index n is the centre of a voxel, so a box reaches from half a voxel before its first one.
    corners = [[side.start - 0.5, side.stop - 0.5] for side in box]
    points = np.array([[*corner, 1.0] for corner in product(*corners)])
    edges = (np.linalg.solve(other, affine) @ points.T)[:3] + 0.5
    low, high = np.floor(edges.min(axis=1) + ON_EDGE), np.ceil(edges.max(axis=1) - ON_EDGE)
    i, j, k = (
        slice(int(np.clip(first, 0, length)), int(np.clip(last, 0, length)))
        for first, last, length in zip(low, high, shape, strict=True)
    )
    return i, j, k


def shrunk(box: Box, spacing: tuple[float, float, float], share: float) -> Box:
    """Return a box about the same middle with a share of the voxels: what reaches farthest is cut first.

    Args:
        box: of voxels.
        spacing: of the grid, mm.
        share: of its voxels that are kept at most, from 0 to 1; at least one voxel along each side.
    """
    if share >= 1.0:
        return box
    voxels = np.array(lengths(box))
    sides = voxels * spacing
    least, most = 0.0, float(sides.max())
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        kept = np.minimum(sides, middle).prod()
        least, most = (middle, most) if kept <= share * sides.prod() else (least, middle)
    counts = np.maximum(1, np.floor(np.minimum(sides, least) / spacing + ON_EDGE)).astype(int)
    starts = [side.start + (length - count) // 2 for side, length, count in zip(box, voxels, counts, strict=True)]
    i, j, k = (slice(int(start), int(start + count)) for start, count in zip(starts, counts, strict=True))
    return i, j, k
