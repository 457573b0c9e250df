"""From a scan to its enlarged volume, slab by slab: no more is in memory than the plan says."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sr_keras.engines import Batched, Engine, Images
from sr_keras.inference.budget import Pass, Plan
from sr_keras.inference.passes import Advance, Report, run_depth_step, run_slice_steps, slice_order
from sr_keras.inference.planning import Step
from sr_keras.inference.prefetch import prefetch
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.volumes.normalization import Normalization, normalization_of
from sr_keras.volumes.slab_buffers import SlabBuffer, Source, make_slab_buffer, spans
from sr_keras.volumes.volume import Array, Volume


@dataclass(frozen=True)
class Enlarging:
    """A job: what to enlarge, how, and by what.

    Attributes:
        volume: the scan.
        plan: what to do.
        engines: that run each step.
        self_ensemble: whether slices are also done turned and mirrored.
        folder: for temporary files; needed where the plan puts something on disk.
    """

    volume: Volume
    plan: Plan
    engines: Mapping[Step, Engine]
    self_ensemble: SelfEnsemble = "none"
    folder: Path | None = None

    def slabs(self, report: Report | None = None) -> Generator[tuple[slice, Images]]:
        """Yield the enlarged volume along the plan's axis, in order.

        What lies below the floor of the scan's scale, such as the padding around a CT's field of view, is nothing that
        the networks know: it goes around them.

        Args:
            report: told about progress.

        Yields:
            A span of the axis, and the voxels there, (i, j, k), float32, in the scan's own units.
        """
        if self.volume.voxels.min() == self.volume.voxels.max():
            yield from self._constant()
            return
        axis, meter = self.plan.slab_axis, _Meter(self.plan, report)
        normalization = normalization_of(self.volume)
        below = _Below(self.volume, normalization, self.plan)
        steps = [(each.step, self._engine(each)) for each in self.plan.passes if each.step.stage == "hw"]
        with ExitStack() as stack:
            source, shape = self._deepened(_Normalized(self.volume.voxels, normalization), meter.advance, stack)
            made = run_slice_steps(source, axis, shape[axis], self.plan.slab, steps, self.self_ensemble, meter.advance)
            for span, images in stack.enter_context(closing(prefetch(made))):
                # Nothing else needs these values any more: they are turned into the result where they are.
                normalization.invert(images, out=images)
                below.add_to(images, span)
                yield span, images.transpose(np.argsort(slice_order(axis)))

    def _engine(self, each: Pass) -> Batched:
        return Batched(self.engines[each.step], each.batch)

    def _constant(self) -> Iterator[tuple[slice, Images]]:
        """Yield a scan of one value, which no network has to see."""
        value = np.float32(self.volume.voxels.flat[0])
        axis, shape = self.plan.slab_axis, list(self.plan.shape)
        for span in spans(shape[axis], self.plan.slab):
            shape[axis] = span.stop - span.start
            yield span, np.full(shape, value, np.float32)

    def _deepened(self, source: Source, advance: Advance, stack: ExitStack) -> tuple[Source, tuple[int, int, int]]:
        """Return the volume after all passes of the d stage and its shape; the stack closes what it lies in."""
        shape = self.volume.shape
        passes = [each for each in self.plan.passes if each.step.stage == "d"]
        for each, after in zip(passes, [*passes[1:], None], strict=False):
            readers = [self.plan.slab_axis] if after is None else _across(after.step)
            with stack.pop_all():
                source = self._deeper(source, each, shape, readers, advance, stack)
            shape = each.shape
        return source, shape

    def _deeper(
        self,
        source: Source,
        each: Pass,
        shape: Sequence[int],
        readers: Sequence[int],
        advance: Advance,
        stack: ExitStack,
    ) -> SlabBuffer:
        """Return the volume after a pass of the d stage; on disk it is laid out for slabs across `readers`."""
        first, second, layout = _layout(_across(each.step), readers)
        as_made = (second, first, *each.step.axes)
        folder = self.folder if self.plan.between == "disk" else None
        target = make_slab_buffer(each.shape, as_made if folder is None else layout, folder)
        stack.callback(target.close)
        with ExitStack() as short:
            partial = target
            if folder is not None:
                # A file takes slabs across its first two axes only, and the orientations are across different ones.
                partial = make_slab_buffer(each.shape, as_made, folder)
                short.callback(partial.close)
            order, engine = (first, second), self._engine(each)
            run_depth_step(source, partial, target, each.step, order, shape, engine, self.self_ensemble, advance)
        return target


def _across(step: Step) -> list[int]:
    """Return the axes that a d step cuts slices across."""
    return [axis for axis in range(3) if axis not in step.axes]


def _layout(across: Sequence[int], readers: Sequence[int]) -> tuple[int, int, list[int]]:
    """Return how a d step makes a volume: the axes of its orientations, and the order of the volume's axes on disk.

    The second orientation writes slabs across its axis, and the readers read slabs across theirs: all these axes must
    be among the first two.
    """
    second = next((axis for axis in across if axis in readers), across[0])
    first = next(axis for axis in across if axis != second)
    order = [*readers, *(axis for axis in (second, *range(3)) if axis not in readers)]
    return first, second, list(dict.fromkeys(order))


class _Normalized:
    """A scan as the networks see it: normalised, not below the floor of its scale."""

    def __init__(self, voxels: Array, normalization: Normalization) -> None:
        self._voxels, self._normalization = voxels, normalization

    def read(self, axis: int, span: slice) -> Images:
        """Return a slab (i, j, k), float32."""
        slab = self._normalization.apply(self._voxels[(slice(None),) * axis + (span,)])
        return np.clip(slab, 0, np.inf, out=slab)


class _Below:
    """What a scan has below the floor of its scale, repeated to the size of the result."""

    def __init__(self, volume: Volume, normalization: Normalization, plan: Plan) -> None:
        self._voxels, self._floor, self._axis = volume.voxels, np.float32(normalization.floor), plan.slab_axis
        self._order = slice_order(plan.slab_axis)
        self._factors = [plan.shape[axis] // volume.shape[axis] for axis in self._order]
        self._none = bool(volume.voxels.min() >= normalization.floor)
        # The next slices of the result may be made of the same slice of the scan.
        self._last = lru_cache(1)(self._of_slice)

    def add_to(self, images: Images, span: slice) -> None:
        """Add it to slices (slice, height, width) of the result, in the scan's units, a span of the slab axis."""
        if self._none:
            return
        slices, rows, _ = self._factors
        for number, image in enumerate(images, span.start):
            below = self._last(number // slices)
            if below is not None:
                # Each row of the scan is added to all rows that it became.
                image = image.reshape(-1, rows, image.shape[1])
                image += below[:, None]

    def _of_slice(self, number: int) -> Images | None:
        """Return what a slice of the scan has below the floor (height, width of the result), None if nothing."""
        voxels = self._voxels[(slice(None),) * self._axis + (slice(number, number + 1),)]
        image = np.ascontiguousarray(voxels.transpose(self._order)[0])
        if image.min() >= self._floor:
            return None
        below: Images = np.clip(image.astype(np.float32) - self._floor, -np.inf, 0).repeat(self._factors[2], axis=1)
        return below


class _Meter:
    """Counts the seconds of work that are done, and tells a report."""

    def __init__(self, plan: Plan, report: Report | None) -> None:
        self._report, self._done, self._total = report, 0.0, plan.seconds
        self._costs = {
            (each.step, (height, width)): seconds
            for each in plan.passes
            for (_, height, width), seconds in zip(each.stacks, each.per_slice, strict=True)
        }

    def advance(self, step: Step, size: tuple[int, int], count: int) -> None:
        """Count slices of a step."""
        self._done += count * self._costs[step, size]
        if self._report is not None:
            self._report(step.label, min(self._done, self._total), self._total)
