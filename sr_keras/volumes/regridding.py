"""From one grid to another, slab by slab: antialiased cubic interpolation, and a fill value beyond the source.

Where the axes of both grids are parallel, in any order and direction, each axis is resampled by itself, and slabs of
the source become slabs of the result as they come. Where they are not, the source is held whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.resampling import KEYS_SUPPORT, apply_banded, cubic_matrix_at, keys_kernel, reflected
from sr_keras.volumes.slab_buffers import MemorySlabBuffer, spans

Floats = npt.NDArray[np.float32]
Shape = tuple[int, int, int]

# Axes are parallel where no voxel of the result lies further than this from where parallel axes put it, in voxels.
PARALLEL = 0.01
# A step that changes the spacing by less than this fraction would only smooth.
SAME_STEP = 1e-6
# Voxels' centres this far outside the outer edges still count as inside, in voxels.
EDGE = 1e-3
# Slices of the result that are handed on together.
SLICES = 8
# Voxels whose 64 neighbours are read together where axes are not parallel.
VOXELS = 1 << 18
# What reading them takes, for each voxel.
VOXEL_BYTES = 400
# Voxels along each axis that the share inside is counted of.
SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Regridding:
    """How a result lies in its source.

    Attributes:
        source_shape: of the source, along i, j, k.
        shape: of the result, along i, j, k.
        to_source: 4 x 4, voxel indices of the result to those of the source.
        fill: the value of voxels whose centres lie beyond the source's edges; None continues the source there.
    """

    source_shape: Shape
    shape: Shape
    to_source: Affine = field(repr=False)
    fill: float | None = None

    @cached_property
    def axes(self) -> tuple[int, ...] | None:
        """The source's axis that each axis of the result is parallel to; None where they are not parallel."""
        matrix = self.to_source[:3, :3]
        axes = tuple(int(axis) for axis in np.abs(matrix).argmax(axis=0))
        rest = np.abs(matrix * np.array(self.shape))
        rest[axes, range(3)] = 0
        return axes if sorted(axes) == [0, 1, 2] and rest.sum(axis=1).max() <= PARALLEL else None

    @property
    def steps(self) -> tuple[float, float, float]:
        """New spacing over old spacing along the source's axes: how far apart the result's voxels lie there."""
        i, j, k = (float(length) for length in np.linalg.norm(self.to_source[:3, :3], axis=1))
        return i, j, k

    @cached_property
    def inside(self) -> float:
        """The share of the result's voxels that lie in the source, counted of at most 64 along each axis."""
        samples = [np.unique(np.linspace(0, length - 1, SAMPLES).round()) for length in self.shape]
        grid = np.stack(np.meshgrid(*samples, indexing="ij")).reshape(3, -1)
        return float(self._is_inside(self._in_source(grid)).mean())

    def result_axis(self, axis: int) -> int:
        """Return the axis of the result that slabs of an axis of the source become slabs of; k if none is parallel."""
        return 2 if self.axes is None else self.axes.index(axis)

    def is_in_order(self, axis: int) -> bool:
        """Say whether slabs of an axis of the source become slabs of k, one after another."""
        return self.axes is None or (self.axes[2] == axis and self.to_source[axis, 2] > 0)

    def workspace_bytes(self, axis: int) -> int:
        """Return what `slabs` holds at once, for slabs of an axis of the source."""
        if self.axes is None:
            first = self._first
            voxels = prod(first.shape) if first else prod(self.source_shape)
            more = first.workspace_bytes(axis) if first else 0
            return 4 * (voxels + 2 * SLICES * prod(self.shape[:2])) + VOXEL_BYTES * VOXELS + more
        plane = prod(self.shape) // self.shape[self.result_axis(axis)]
        step = self.steps[axis]
        pending = ceil(2 * KEYS_SUPPORT * max(step, 1.0) / step) + 2
        return 4 * plane * (pending + 5 * SLICES)

    def slabs(self, slabs: Iterable[tuple[slice, Any]], axis: int) -> Iterator[tuple[int, slice, Floats]]:
        """Yield the result slab by slab.

        Args:
            slabs: of the source: spans of an axis that follow each other, and the voxels there, (i, j, k), float32.
            axis: of the source, that the slabs are spans of.

        Yields:
            An axis of the result, a span of it, and the voxels there, (i, j, k), float32.
        """
        if self.axes is not None:
            yield from self._separable(slabs, axis, [self._line(other, self.axes) for other in range(3)], self.axes)
            return
        first = self._first
        shape = first.shape if first else self.source_shape
        whole = MemorySlabBuffer(shape, [axis, *(other for other in range(3) if other != axis)])
        coarser: Iterable[tuple[int, slice, Any]] = (
            first.slabs(slabs, axis) if first else ((axis, span, slab) for span, slab in slabs)
        )
        for along, span, slab in coarser:
            whole.write(along, span, slab)
        steps = self._coarsening
        to_whole = np.diag([*(1 / np.array(steps)), 1.0]) @ self.to_source
        to_whole[:3, 3] += [(1 / step - 1) / 2 for step in steps]
        yield from self._gathered(whole.read(0, slice(None)), to_whole)

    @property
    def _coarsening(self) -> list[float]:
        """The step along each axis of the source, 1 where the result is no coarser."""
        return [step if step > 1 + SAME_STEP else 1.0 for step in self.steps]

    @cached_property
    def _first(self) -> "Regridding | None":
        """What first makes the source as coarse as the result, against aliasing, where axes are not parallel."""
        steps = self._coarsening
        if max(steps) == 1:
            return None
        i, j, k = (max(1, round(length / step)) for length, step in zip(self.source_shape, steps, strict=True))
        to_source = np.diag([*steps, 1.0])
        to_source[:3, 3] = [(step - 1) / 2 for step in steps]
        return Regridding(self.source_shape, (i, j, k), to_source)

    def _separable(
        self, slabs: Iterable[tuple[slice, Any]], axis: int, lines: Sequence["_Line"], axes: Sequence[int]
    ) -> Iterator[tuple[int, slice, Floats]]:
        rows, columns = (lines[other] for other in range(3) if other != axis)
        along = lines[axis]
        fill = self.fill or 0.0
        order = range(along.length) if along.last[0] <= along.last[-1] else range(along.length - 1, -1, -1)
        plane_shape, waiting = (rows.length, columns.length), iter(order)
        coming: int | None = next(waiting)
        pending: dict[int, Floats] = {}
        done: list[tuple[int, Floats]] = []
        for span, slab in slabs:
            planes = np.moveaxis(slab, axis, 0)
            for number, plane in enumerate(planes, span.start):
                # Plane by plane, so that the sums are the same whatever the size of the slabs.
                smaller = columns.applied(rows.applied(plane.astype(np.float32, copy=False)).T).T
                for row in along.rows_of(number):
                    part = np.float32(along.matrix[row, number]) * smaller
                    pending[row] = pending[row] + part if row in pending else part
                while coming is not None and along.last[coming] <= number:
                    finished = pending.pop(coming, None)
                    if finished is None or not along.inside[coming]:
                        finished = np.full(plane_shape, fill, np.float32)
                    finished[~rows.inside] = fill
                    finished[:, ~columns.inside] = fill
                    done.append((coming, finished))
                    coming = next(waiting, None)
                    if len(done) == SLICES:
                        yield self._joined(done, axis, axes)
                        done = []
        if done:
            yield self._joined(done, axis, axes)

    def _joined(self, done: list[tuple[int, Floats]], axis: int, axes: Sequence[int]) -> tuple[int, slice, Floats]:
        """Return finished planes as a slab of the result."""
        done = sorted(done, key=lambda each: each[0])
        slab = np.moveaxis(np.stack([plane for _, plane in done]), 0, axis)
        return axes.index(axis), slice(done[0][0], done[-1][0] + 1), slab.transpose(axes)

    def _line(self, axis: int, axes: Sequence[int]) -> "_Line":
        """Return how an axis of the source is resampled."""
        own = axes.index(axis)
        step = float(self.to_source[axis, own])
        others = self.to_source[axis, :3] @ (np.array(self.shape) - 1) / 2 - step * (self.shape[own] - 1) / 2
        centres = np.arange(self.shape[own]) * step + self.to_source[axis, 3] + others
        return _Line(self.source_shape[axis], centres, abs(step), everywhere=self.fill is None)

    def _gathered(self, source: Any, to_source: Affine) -> Iterator[tuple[int, slice, Floats]]:
        """Yield spans of k of the result, each voxel by itself of 4 x 4 x 4 voxels of the source (i, j, k)."""
        columns, rows, length = self.shape
        plane = np.stack(np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")).reshape(2, -1)
        for span in spans(length, SLICES):
            slab = np.empty((columns * rows, span.stop - span.start), np.float32)
            for number, k in enumerate(range(span.start, span.stop)):
                grid = np.concatenate([plane, np.full((1, plane.shape[1]), k)]).astype(np.float64)
                inside = self._is_inside(self._in_source(grid)) | (self.fill is None)
                slab[:, number] = self.fill or 0.0
                places = (to_source[:3, :3] @ grid + to_source[:3, 3:])[:, inside]
                values = [_cubic(source, places[:, part]) for part in spans(places.shape[1], VOXELS)]
                if values:
                    slab[inside, number] = np.concatenate(values)
            yield 2, span, slab.reshape(columns, rows, -1)

    def _in_source(self, grid: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        places: npt.NDArray[np.float64] = self.to_source[:3, :3] @ grid + self.to_source[:3, 3:]
        return places

    def _is_inside(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        last = np.array(self.source_shape)[:, None] - 0.5 + EDGE
        return np.asarray(((places > -0.5 - EDGE) & (places < last)).all(axis=0))


class _Line:
    """How one axis is resampled.

    Args:
        length: of the source.
        centres: of the new samples, in samples of the source.
        step: new spacing over old spacing.
        everywhere: whether the source goes on beyond its edges.
    """

    def __init__(self, length: int, centres: npt.NDArray[np.float64], step: float, *, everywhere: bool) -> None:
        self.length = len(centres)
        self.inside: npt.NDArray[np.bool_] = np.full(self.length, everywhere) | (
            (centres > -0.5 - EDGE) & (centres < length - 0.5 + EDGE)
        )
        clipped = np.clip(centres, -0.5, length - 0.5)
        self.matrix = cubic_matrix_at(length, clipped, step).astype(np.float32)
        self.matrix[~self.inside] = 0
        self._used = self.matrix != 0
        # The last sample of the source that each new one needs; those outside need none.
        last = np.where(
            self.inside, length - 1 - self._used[:, ::-1].argmax(axis=1), np.where(centres < 0, -1, length - 1)
        )
        # New samples come one after another, each not before its neighbour.
        rising = self.length == 1 or centres[-1] >= centres[0]
        self.last = np.maximum.accumulate(last) if rising else np.maximum.accumulate(last[::-1])[::-1]
        self._rows = [np.flatnonzero(column) for column in self._used.T]
        self._same = self.length == length and np.array_equal(self.matrix, np.eye(length, dtype=np.float32))

    def rows_of(self, number: int) -> list[int]:
        """Return the new samples that need a sample of the source."""
        rows: list[int] = self._rows[number].tolist()
        return rows

    def applied(self, plane: Floats) -> Floats:
        """Return a plane whose first axis is resampled."""
        return plane if self._same else apply_banded(self.matrix, plane)


def _cubic(source: Any, places: npt.NDArray[np.float64]) -> Floats:
    """Return the values at places (3, n) in voxels of the source (i, j, k), by Keys' cubic in three dimensions."""
    base = np.floor(places).astype(np.intp) - 1
    taps = base[:, None] + np.arange(4)[None, :, None]
    weights = keys_kernel(taps - places[:, None]).astype(np.float32)
    i, j, k = (reflected(taps[axis], source.shape[axis]) for axis in range(3))
    values = np.zeros(places.shape[1], np.float32)
    for a in range(4):
        for b in range(4):
            line = sum(weights[2, c] * source[i[a], j[b], k[c]] for c in range(4))
            values += weights[0, a] * weights[1, b] * line
    return values
