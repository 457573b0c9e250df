"""One immutable scan: its voxels, where they lie, and what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes

from sr_keras.errors import VolumeError
from sr_keras.volumes.geometry import Affine, checked_affine, format_spacing

Array: TypeAlias = npt.NDArray[Any]
Modality = Literal["CT", "MR"]

# Below this lies air alone, in HU; MRI has no values so far below zero.
CT_MINIMUM_BELOW = -500.0


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan on a regular grid.

    Attributes:
        voxels: (i, j, k), integer or float, in the scan's own units (HU for CT); read-only.
        affine: 4 x 4 float64, voxel indices to mm in RAS+; read-only.
        modality: "CT" or "MR"; None infers it: values below -500 only occur in the Hounsfield units of air.
        source: where the scan came from, for messages.
        header: the header of the file it came from, which the writer carries over; None for a volume made in memory.

    Raises:
        VolumeError: the voxels are not a three-dimensional array of real numbers, or the affine has no inverse.

    Example:
        >>> volume = Volume(np.zeros((64, 64, 20), np.int16), np.diag([0.5, 0.5, 3, 1]), modality="MR")
        >>> volume.summary
        '64x64x20 voxels of 0.5x0.5x3 mm, MR'
        >>> volume.axis_codes
        ('R', 'A', 'S')
    """

    voxels: Array
    affine: Affine
    modality: Modality | None = None
    source: str = "memory"
    header: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels).view()
        if voxels.dtype.kind not in "iuf":
            raise VolumeError(
                f"{self.source} has {_kind(voxels.dtype)}; convert it to one integer or float for each voxel."
            )
        if voxels.ndim != 3 or voxels.size == 0:
            raise VolumeError(
                f"{self.source} has the shape {format_shape(voxels.shape)}; extract one three-dimensional volume."
            )
        voxels.flags.writeable = False
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "affine", checked_affine(self.affine))
        if self.modality is None:
            object.__setattr__(self, "modality", "CT" if self.value_range[0] < CT_MINIMUM_BELOW else "MR")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        return cast(tuple[int, int, int], self.voxels.shape)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k, in mm."""
        i, j, k = (float(size) for size in voxel_sizes(self.affine))
        return i, j, k

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """The least and the greatest value, in the scan's own units; NaN where a voxel is."""
        return float(self.voxels.min()), float(self.voxels.max())

    @property
    def is_constant(self) -> bool:
        """Whether all voxels have one value."""
        least, greatest = self.value_range
        return least == greatest

    @property
    def axis_codes(self) -> tuple[str, str, str]:
        """The anatomical direction in which each axis grows, as in ("R", "A", "S")."""
        return cast(tuple[str, str, str], nibabel.aff2axcodes(self.affine))

    @property
    def summary(self) -> str:
        """Shape, spacing and modality in a few words."""
        return describe(self.shape, self.spacing, self.modality)

    def with_voxels(self, voxels: Array, affine: Affine | None = None) -> "Volume":
        """Return this scan with other voxels.

        Args:
            voxels: (i, j, k), integer or float.
            affine: 4 x 4, voxel indices to mm in RAS+; None keeps that of this scan.
        """
        return replace(self, voxels=voxels, affine=self.affine if affine is None else affine)


def format_shape(shape: tuple[int, ...]) -> str:
    """Return the text of a shape, "256x256x180"."""
    return "x".join(str(length) for length in shape)


def describe(shape: tuple[int, ...], spacing: Sequence[float], modality: Modality | None) -> str:
    """Return shape, spacing and modality in a few words.

    Args:
        shape: voxels along i, j, k.
        spacing: mm along i, j, k.
        modality: "CT" or "MR"; None where it is not known.
    """
    return f"{format_shape(shape)} voxels of {format_spacing(spacing)} mm, {modality}"


def _kind(dtype: np.dtype[Any]) -> str:
    if dtype.names:
        return f"colour data with the channels {', '.join(dtype.names)}"
    return f"dtype {dtype}"
