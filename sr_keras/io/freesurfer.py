"""FreeSurfer's MGH format: the header of a file for another grid, with the tags after its voxels kept.

Layout: https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat. The header holds the direction cosines and
c_ras, the coordinates of the voxel index that is half the shape. After the voxels come scan parameters, then tags such
as the path of the Talairach transform, the command lines and a segmentation's colour table.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.freesurfer.mghformat import MGHHeader

from sr_keras.errors import OutputError
from sr_keras.io.compression import decompressed, is_compressed
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Volume

DTYPES = ("uint8", "int16", "int32", "float32")
# What holds the values of the types that the format has not.
WIDER = {"int8": "int16", "uint16": "int32"}
# More than this after the voxels is no footer of FreeSurfer's; colour tables have about 100 kB.
LARGEST_FOOTER = 16 << 20
FOOTER_BYTES = int(MGHHeader._ftrdtype.itemsize)


@dataclass(frozen=True, eq=False)
class MghHeader:
    """The header of a file, and what follows its scan parameters.

    Attributes:
        fields: nibabel's header, with the scan parameters.
        tags: as they lie in the file.
    """

    fields: Any
    tags: bytes = b""

    def copy(self) -> "MghHeader":
        """Return a header that can be changed."""
        return MghHeader(self.fields.copy(), self.tags)

    def get_data_dtype(self) -> np.dtype[Any]:
        """Return the type on disk, big-endian."""
        dtype: np.dtype[Any] = np.dtype(self.fields.get_data_dtype()).newbyteorder(">")
        return dtype

    def get_data_shape(self) -> tuple[int, ...]:
        """Return the lengths along i, j, k."""
        shape: tuple[int, ...] = self.fields.get_data_shape()
        return shape

    def get_slope_inter(self) -> tuple[float, float]:
        """Return the scaling, which the format has not."""
        return 1.0, 0.0

    def write_to(self, file: IO[bytes]) -> None:
        """Write what comes before the voxels."""
        block = self.fields.binaryblock[:-FOOTER_BYTES]
        file.write(block + bytes(self.fields.get_data_offset() - len(block)))

    def write_end(self, file: IO[bytes]) -> None:
        """Write what comes after the voxels."""
        file.write(self.fields.binaryblock[-FOOTER_BYTES:] + self.tags)


def read_tags(path: Path, fields: Any) -> bytes:
    """Return what a file holds after its scan parameters, or nothing where that is no footer.

    Args:
        path: of the file.
        fields: its header, as nibabel reads it.
    """
    with decompressed(path) if is_compressed(path) else path.open("rb") as file:
        file.seek(int(fields.get_footer_offset()) + FOOTER_BYTES)
        tags: bytes = file.read(LARGEST_FOOTER + 1)
    return tags if len(tags) <= LARGEST_FOOTER else b""


def mgh_header(shape: tuple[int, int, int], affine: Affine, like: Volume, dtype: str | None) -> MghHeader:
    """Return the header of a file on a grid.

    Args:
        shape: along i, j, k.
        affine: 4 x 4, mm in RAS+.
        like: the scan; where it comes from such a file, scan parameters and tags are carried over.
        dtype: the type on disk; None takes one that holds the values of the scan's type.

    Raises:
        OutputError: the format has not that type.
    """
    header = like.header.copy() if isinstance(like.header, MghHeader) else MghHeader(MGHHeader())
    fields = header.fields
    # By name, nibabel knows "float", but not "float32".
    fields.set_data_dtype(np.dtype(mgh_dtype(like, dtype)))
    fields.set_data_shape(shape)
    spacing = voxel_sizes(affine)
    fields["delta"] = spacing
    fields["Mdc"] = (affine[:3, :3] / spacing).T
    fields["Pxyz_c"] = affine[:3, :3] @ (np.array(shape) / 2) + affine[:3, 3]
    return header


def mgh_dtype(like: Volume, dtype: str | None) -> str:
    """Return the type on disk of a volume made of a scan: one of `DTYPES`.

    Raises:
        OutputError: another one is asked for.
    """
    if dtype is not None and dtype not in DTYPES:
        raise OutputError(f"{dtype} is no type of .mgz and .mgh; choose one of {', '.join(DTYPES)}.")
    own = str(like.voxels.dtype.newbyteorder("="))
    return dtype or (own if own in DTYPES else WIDER.get(own, "float32"))
