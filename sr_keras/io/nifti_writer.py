"""Write a NIfTI file as its volume is made, slab by slab, in its final type."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np

from sr_keras.files import open_passing
from sr_keras.io.compression import compressed, is_compressed
from sr_keras.volumes.quantization import stored_values
from sr_keras.volumes.slab_buffers import SlabBuffer, spans
from sr_keras.volumes.volume import Array

# Slices that are read back at a time where they were kept until the end.
SLICES = 8


class NiftiStream:
    """Takes slabs of a volume and writes them to an open file.

    Args:
        file: open for writing, at its beginning.
        header: of the file, with the shape of the volume; it says the type on disk and the scaling.
        store: of the type on disk, keeps slabs that do not come in the order of the file; None where they do.
    """

    def __init__(self, file: IO[bytes], header: Any, store: SlabBuffer | None = None) -> None:
        self._file, self._slab_buffer, self._slices = file, store, 0
        self._length = header.get_data_shape()[2]
        self._dtype = header.get_data_dtype()
        self._scaling = header.get_slope_inter()
        _write_header(file, header)

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

    def finish(self) -> None:
        """Write what was kept."""
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
    """Open a file for writing, compressed where it is named .gz."""
    with open_passing(path) as file, compressed(file) if is_compressed(path) else nullcontext(file) as target:
        yield target


def _write_header(file: IO[bytes], header: Any) -> None:
    """Write a header as nibabel writes it for an image, up to the first voxel."""
    slope, intercept = header.get_slope_inter()
    nothing = np.broadcast_to(np.zeros((), header.get_data_dtype()), header.get_data_shape())
    image_type: Any = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    image = image_type(nothing, None, header)
    # nibabel forgets a header's scaling when it makes an image; set again, it writes the stored values as they are.
    image.header.set_slope_inter(slope, intercept)
    image.update_header()
    image.header.write_to(file)
    file.write(bytes(image.header.get_data_offset() - file.tell()))
