"""Volumes in 8 bits, as the page holds them.

A code stands for a value of a table of 256. That of CT is fine where soft tissue is and coarse in air and bone; other
tables are even. Codes are replaced by their differences along i, then along j, which compress to three quarters of what
the codes do, then compressed by zlib; the page undoes both.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import nibabel
import numpy as np
import numpy.typing as npt

from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Array, Volume

Codes = npt.NDArray[np.uint8]
CODES = 256
# Values in HU and the codes that stand for them: steps of 1.5 HU in brain, of 5 in other soft tissue, of 14 in air and
# of 49 in bone.
CT_KNOTS = ((-1024.0, -200.0, -20.0, 100.0, 300.0, 2064.0), (0.0, 59.0, 99.0, 179.0, 219.0, 255.0))
# Voxels that are encoded at a time.
SLAB_VOXELS = 1 << 22
LEVEL = 6


@dataclass(frozen=True)
class Coding:
    """What the codes of a volume stand for.

    Attributes:
        values: of the codes 0 to 255, rising, in the volume's units.
    """

    values: tuple[float, ...]

    @property
    def is_even(self) -> bool:
        """Whether all steps are equal."""
        return bool(np.ptp(np.diff(self.values)) <= 1e-6 * (self.values[-1] - self.values[0]))

    def encode(self, voxels: Array) -> Codes:
        """Return the code of the nearest value for each voxel; values beyond the table get its ends.

        Args:
            voxels: (i, j, k), in the volume's units.
        """
        codes = np.empty(voxels.shape, np.uint8, order="F")
        step = max(1, SLAB_VOXELS // max(1, voxels[..., 0].size))
        middles = (np.array(self.values[1:]) + self.values[:-1]) / 2
        for start in range(0, voxels.shape[2], step):
            slab = slice(start, start + step)
            codes[..., slab] = np.searchsorted(middles, voxels[..., slab])
        return codes


def ct_coding() -> Coding:
    """Return the coding of CT."""
    values, codes = CT_KNOTS
    return Coding(tuple(float(value) for value in np.interp(np.arange(CODES), codes, values).round()))


def even_coding(least: float, greatest: float) -> Coding:
    """Return the coding of a range of values in even steps."""
    return Coding(tuple(np.linspace(least, greatest if greatest > least else least + 1.0, CODES).tolist()))


def packed(codes: Codes) -> str:
    """Return codes as the page holds them: base64 of the compressed differences, i the fastest axis."""
    differences = codes.copy(order="F")
    differences[1:] -= codes[:-1]
    along_i = differences.copy(order="F")
    differences[:, 1:] -= along_i[:, :-1]
    return base64.b64encode(zlib.compress(differences.tobytes(order="F"), LEVEL)).decode()


def unpacked(text: str, shape: tuple[int, int, int]) -> Codes:
    """Return the codes of a text that `packed` made, as the page does."""
    differences = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape, order="F")
    return np.asarray(np.cumsum(np.cumsum(differences, axis=0, dtype=np.uint8), axis=1, dtype=np.uint8))


def nifti_header(shape: tuple[int, int, int], affine: Affine, coding: Coding) -> str:
    """Return the header of a NIfTI-1 file, 352 bytes in base64, before codes or the values of an uneven table.

    Args:
        shape: voxels along i, j, k.
        affine: 4 x 4, voxel indices to mm in RAS+.
        coding: an even one is a slope and an intercept; the values of an uneven one must be whole numbers.
    """
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint8 if coding.is_even else np.int16)
    header.set_zooms([float(size) for size in nibabel.affines.voxel_sizes(affine)])
    header.set_sform(affine, code="scanner")
    header.set_xyzt_units("mm")
    header["magic"], header["vox_offset"] = b"n+1", 352
    if coding.is_even:
        header["scl_slope"] = (coding.values[-1] - coding.values[0]) / (CODES - 1)
        header["scl_inter"] = coding.values[0]
    else:
        header["scl_slope"], header["scl_inter"] = 1, 0
    return base64.b64encode(header.binaryblock + bytes(4)).decode()


def halved(volume: Volume, axes: Sequence[bool] = (True, True, True)) -> Volume:
    """Return a volume on a grid of twice the spacing: the mean of two voxels along an axis, an odd last one left out.

    Args:
        volume: to be halved.
        axes: whether i, j, k are; an axis with one voxel stays as it is.
    """
    factors = [2 if wanted and length > 1 else 1 for wanted, length in zip(axes, volume.shape, strict=True)]
    counts = [length // factor for length, factor in zip(volume.shape, factors, strict=True)]
    total = np.zeros(counts, np.float32, order="F")
    for offset in np.ndindex(*factors):
        box = tuple(
            slice(start, count * factor, factor) for start, count, factor in zip(offset, counts, factors, strict=True)
        )
        total += volume.voxels[box]
    total /= np.prod(factors)
    scaling = np.diag([*factors, 1.0]).astype(np.float64)
    scaling[:3, 3] = (np.array(factors) - 1) / 2
    return volume.with_voxels(total, volume.affine @ scaling)
