"""Where voxels lie: pure functions on affines, spacings and scale factors.

Conventions, the same in the whole package:

- An affine is a 4 x 4 matrix from voxel indices (i, j, k) to millimetres in RAS+ (NIfTI's world space).
- An integer index is the *centre* of a voxel; a volume of n voxels spans the indices -0.5 to n - 0.5 along an axis.
- A *step* is new spacing over old spacing along an axis: 0.5 after super-resolution by 2.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes

from sr_keras.errors import VolumeError

Affine = npt.NDArray[np.float64]

# Below this a voxel has no extent that any scanner could have meant, in mm.
SMALLEST_SPACING = 1e-6
# No scanner is so large, in mm; the squares of greater numbers may not be finite.
FARTHEST = 1e9
# Columns whose normalised volume is below this lie in one plane: the affine has no inverse worth using.
SINGULAR_TOLERANCE = 1e-4
# Spacings closer than this fraction are one spacing written with different rounding.
SPACING_TOLERANCE = 1e-3


def checked_affine(affine: npt.ArrayLike) -> Affine:
    """Return `affine` as a read-only float64 4 x 4 array.

    Raises:
        VolumeError: it is not 4 x 4 and finite, reaches too far, a spacing is zero, or its axes lie in one plane.
    """
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not (np.abs(matrix) < FARTHEST).all():
        raise VolumeError("The affine must be 4 x 4 finite numbers below 1e9; repair the header's qform or sform.")
    spacing = voxel_sizes(matrix)
    if (spacing < SMALLEST_SPACING).any():
        raise VolumeError(
            f"The voxel spacing must be above zero, not {format_spacing(spacing)} mm; "
            "repair the header's pixdim, qform or sform."
        )
    if abs(np.linalg.det(matrix[:3, :3] / spacing)) < SINGULAR_TOLERANCE:
        raise VolumeError(
            "The affine must be invertible, but its axes lie in one plane; repair the header's qform or sform."
        )
    matrix.flags.writeable = False
    return matrix


def rescaled_affine(affine: npt.ArrayLike, steps: Sequence[float]) -> Affine:
    """Return the affine of a grid whose spacing is `steps` times the old one and whose first voxel *edges* stay put.

    The centre of the first voxel moves by 0.5 * (step - 1) old voxels along each axis, so the field of view does not
    move although the voxel centres do.

    Args:
        affine: 4 x 4, any world units.
        steps: new spacing over old spacing along i, j, k.
    """
    factors = np.asarray(steps, dtype=np.float64)
    to_old_indices = np.diag([*factors, 1.0])
    to_old_indices[:3, 3] = 0.5 * (factors - 1.0)
    result: Affine = np.asarray(affine, dtype=np.float64) @ to_old_indices
    return result


def through_plane_axis(spacing: Sequence[float]) -> int:
    """Return the axis (0, 1 or 2) along which the slices are stacked: the largest spacing, else the third axis.

    Args:
        spacing: mm along i, j, k. Spacings equal to 0.1 % count as equal, and a shared largest one decides nothing.
    """
    values = np.asarray(spacing, dtype=np.float64)
    largest = np.flatnonzero(values >= values.max() * (1.0 - SPACING_TOLERANCE))
    return int(largest[0]) if largest.size == 1 else 2


def format_spacing(values: Sequence[float] | npt.NDArray[Any]) -> str:
    """Return the text of a spacing in mm along three axes, "0.7x0.7x1.5"."""
    return "x".join(f"{float(value):.6g}" for value in values)
