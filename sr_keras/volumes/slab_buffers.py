"""Buffers for volumes that are made slab by slab, in memory or on disk."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.volume import Array


class SlabSource(Protocol):
    """Something that slabs of a volume can be read from."""

    def read(self, axis: int, span: slice) -> Array:
        """Return a slab.

        Args:
            axis: 0, 1 or 2.
            span: of the slab along that axis, with start and stop.

        Returns:
            (i, j, k): all of the two other axes, and the span of this one.
        """


class SlabBuffer(SlabSource, Protocol):
    """Something that slabs of a volume can be written to as well."""

    def write(self, axis: int, span: slice, slab: Array) -> None:
        """Store a slab.

        Args:
            axis: 0, 1 or 2.
            span: of the slab along that axis, with start and stop.
            slab: (i, j, k).
        """

    def close(self) -> None:
        """Release the memory or the file."""


class MemorySlabBuffer:
    """A volume in memory.

    Args:
        shape: along i, j, k.
        order: the axes from the slowest to the fastest in memory.
        dtype: of its voxels.
    """

    def __init__(self, shape: Sequence[int], order: Sequence[int], dtype: npt.DTypeLike = np.float32) -> None:
        self._voxels: Array = np.empty([shape[axis] for axis in order], dtype).transpose(np.argsort(order))

    def read(self, axis: int, span: slice) -> Array:
        """Return a view of a slab (i, j, k)."""
        return self._voxels[(slice(None),) * axis + (span,)]

    def write(self, axis: int, span: slice, slab: Array) -> None:
        """Copy a slab (i, j, k) into the volume."""
        self._voxels[(slice(None),) * axis + (span,)] = slab

    def close(self) -> None:
        """Release the memory."""
        self._voxels = np.empty((0, 0, 0), self._voxels.dtype)


class FileSlabBuffer:
    """A volume in a temporary file without a name, which no crash can leave behind.

    Plain reads and writes rather than a memory map, whose pages would count as this process's memory.

    Args:
        shape: along i, j, k.
        order: the axes from the slowest to the fastest in the file. Slabs are spans of the first or the second; of the
            third they would lie in the file in too many pieces.
        folder: where the file lies.
        dtype: of its voxels.

    Raises:
        OSError: the file cannot be made; reading and writing raise it too, as on a full disk.
    """

    def __init__(
        self, shape: Sequence[int], order: Sequence[int], folder: Path, dtype: npt.DTypeLike = np.float32
    ) -> None:
        self._order = tuple(order)
        self._lengths = [shape[axis] for axis in order]
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by `close`)

    def read(self, axis: int, span: slice) -> Array:
        """Return a slab (i, j, k)."""
        lengths = list(self._lengths)
        lengths[self._order.index(axis)] = span.stop - span.start
        slab: Array = np.empty(lengths, self._dtype)
        for offset, run in self._runs(axis, span, slab):
            self._file.seek(offset)
            self._file.readinto(run)
        return slab.transpose(np.argsort(self._order))

    def write(self, axis: int, span: slice, slab: Array) -> None:
        """Write a slab (i, j, k) to the file."""
        for offset, run in self._runs(axis, span, np.ascontiguousarray(slab.transpose(self._order), self._dtype)):
            self._file.seek(offset)
            self._file.write(run)

    def close(self) -> None:
        """Close the file, which deletes it."""
        # After a write that failed, closing tries it again; nothing in the file is needed any more.
        with suppress(OSError):
            self._file.close()

    def _runs(self, axis: int, span: slice, slab: Array) -> Iterator[tuple[int, memoryview]]:
        """Yield the stretches of the file that a slab consists of: where each begins, and its bytes in the slab."""
        slow, _, fast = self._lengths
        place = self._order.index(axis)
        if place == 2:
            raise ValueError(f"slabs are spans of the axes {self._order[:2]}, not {axis}")
        rows = slab[None] if place == 0 else slab
        stride = self._lengths[1] * fast
        for number in range(1 if place == 0 else slow):
            first = span.start * stride if place == 0 else number * stride + span.start * fast
            yield first * self._dtype.itemsize, memoryview(rows[number].reshape(-1).view(np.uint8))


def make_slab_buffer(
    shape: Sequence[int], order: Sequence[int], folder: Path | None, dtype: npt.DTypeLike = np.float32
) -> SlabBuffer:
    """Return a buffer in memory, or on disk where a folder is given.

    Args:
        shape: along i, j, k.
        order: the axes from the slowest to the fastest; see `FileSlabBuffer`.
        folder: where the file lies; None keeps the volume in memory.
        dtype: of the voxels.

    Raises:
        OSError: the file cannot be made.
    """
    return MemorySlabBuffer(shape, order, dtype) if folder is None else FileSlabBuffer(shape, order, folder, dtype)


def spans(length: int, size: int) -> Iterator[slice]:
    """Yield the spans that cut an axis of `length` voxels into pieces of at most `size`."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
