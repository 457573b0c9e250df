"""Write a NIfTI or MGH file as its volumes are made, slab by slab, in their final type."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np

from sr_keras.files import open_passing
from sr_keras.io.compression import compressed, is_compressed
from sr_keras.io.freesurfer import MghHeader
from sr_keras.io.image_names import PAIRS, beside, has_suffix
from sr_keras.volumes.quantization import stored_values
from sr_keras.volumes.slab_buffers import SlabBuffer, spans
from sr_keras.volumes.volume import Array

# Slices that are read back at a time where they were kept until the end.
SLICES = 8


class NiftiStream:
    """Takes slabs of a volume and writes them to an open file.

    Args:
        file: open for writing, at its beginning; of a pair, the file with the voxels.
        header: of the file, with the shape of a volume; it says the type on disk and the scaling.
        store: of the type on disk, keeps slabs that do not come in the order of the file; None where they do.
        path: of the file, which says whether the header has a file of its own; None is a single file.
        count: of volumes.
    """

    def __init__(
        self, file: IO[bytes], header: Any, store: SlabBuffer | None = None, *, path: Path | None = None, count: int = 1
    ) -> None:
        self._file, self._slab_buffer, self._slices = file, store, 0
        self._header, self._volumes, self._count = header, 1, count
        self._length = header.get_data_shape()[2]
        self._dtype = header.get_data_dtype()
        self._scaling = header.get_slope_inter()
        if isinstance(header, MghHeader):
            header.write_to(file)
        elif path is not None and has_suffix(path, PAIRS):
            with beside(path, ".hdr").open("wb") as head:
                _write_header(head, header, count, pair=True)
        else:
            _write_header(file, header, count)

    def write(self, axis: int, span: slice, slab: Array) -> None:
        """Write a slab, or keep it until all are there.

        Args:
            axis: that the slab is a span of.
            span: of the axis; without a store the slabs are spans of k and come one after another.
            slab: (i, j, k), values in real units.
        """
        stored = stored_values(slab, self._dtype, *self._scaling)
        if self._slab_buffer is not None:
            self._slab_buffer.write(axis, span, stored)
            return
        if (axis, span.start) != (2, self._slices):
            raise ValueError(f"slabs come in the order of k, not {span} of axis {axis} after {self._slices} slices")
        self._put(stored)

    def next_volume(self) -> None:
        """End a volume and begin the next one."""
        self._end_volume()
        self._slices, self._volumes = 0, self._volumes + 1

    def finish(self) -> None:
        """Write what was kept, and what comes after the voxels."""
        self._end_volume()
        if self._volumes != self._count:
            raise ValueError(f"{self._volumes} volumes were written of {self._count}")
        if isinstance(self._header, MghHeader):
            self._header.write_end(self._file)

    def _end_volume(self) -> None:
        if self._slab_buffer is not None:
            for span in spans(self._length, SLICES):
                self._put(self._slab_buffer.read(2, span))
        if self._slices != self._length:
            raise ValueError(f"{self._slices} slices were written of {self._length}")

    def _put(self, stored: Array) -> None:
        # Slice by slice, since what a file is compressed to depends on the pieces: not on the size of slabs, then.
        for k in range(stored.shape[2]):
            self._file.write(stored[:, :, k].reshape(-1, order="F").view(np.uint8).data)
        self._slices += stored.shape[2]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing, compressed where it is named so; of a pair, the file with the voxels."""
    path = beside(path, ".img") if has_suffix(path, PAIRS) else path
    with open_passing(path) as file, compressed(file) if is_compressed(path) else nullcontext(file) as target:
        yield target


def _write_header(file: IO[bytes], header: Any, count: int, *, pair: bool = False) -> None:
    """Write a header as nibabel writes it for an image, up to the first voxel.

    Args:
        file: at its beginning.
        header: of one volume.
        count: of volumes: more than one are a fourth axis, whose step and unit the header says.
        pair: whether the voxels lie in a file of their own.
    """
    (slope, intercept), step = header.get_slope_inter(), header["pixdim"][4]
    shape = header.get_data_shape()
    nothing = np.broadcast_to(np.zeros((), header.get_data_dtype()), (*shape, count) if count > 1 else shape)
    second = isinstance(header, nibabel.Nifti2Header)
    single: Any = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    paired: Any = nibabel.Nifti2Pair if second else nibabel.Nifti1Pair
    header = _of_class((paired if pair else single).header_class, header)
    image = (paired if pair else single)(nothing, None, header)
    # nibabel forgets a header's scaling when it makes an image; set again, it writes the stored values as they are.
    image.header.set_slope_inter(slope, intercept)
    image.update_header()
    if count > 1:
        image.header["pixdim"][4] = step
    image.header.write_to(file)
    if pair:
        # Four bytes that say that no extensions follow, which some readers expect there too.
        file.write(bytes(4 if not image.header.extensions else 0))
    else:
        file.write(bytes(image.header.get_data_offset() - file.tell()))


def _of_class(header_class: Any, header: Any) -> Any:
    """Return a header of a single file or of a pair, with all fields; nibabel's own way forgets some."""
    if type(header) is header_class:
        return header
    header = header_class(header.binaryblock, header.endianness, False, header.extensions)
    header["magic"] = header.single_magic if header.is_single else header.pair_magic
    header["vox_offset"] = 0
    return header
