"""From a scan to its upsampled volume, slab by slab: no more is in memory than the plan says."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sr_keras.engines import Batched, Engine, Images
from sr_keras.inference.budget import WIDTHS_DTYPE, Pass, Plan
from sr_keras.inference.passes import DepthWidths, SliceStep, run_depth_step, run_slice_steps, slice_order
from sr_keras.inference.planning import Step
from sr_keras.inference.prefetch import prefetch
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.progress import ProgressCallback
from sr_keras.uncertainty.estimator import spread
from sr_keras.volumes.normalization import Normalization, normalization_of
from sr_keras.volumes.slab_buffers import SlabBuffer, SlabSource, make_slab_buffer, spans
from sr_keras.volumes.volume import Array, Volume

# Bits of a float32 that half-widths do without: five digits of its mantissa are left, and files are a third as large.
DROPPED = np.uint32(0x3FFFF)


def stream_slabs(
    volume: Volume,
    plan: Plan,
    engines: Mapping[Step, Engine],
    self_ensemble: SelfEnsemble,
    folder: Path | None,
    progress: ProgressCallback | None = None,
    estimators: Mapping[Step, Engine] | None = None,
) -> Generator[tuple[slice, Images, Images | None]]:
    """Yield the upsampled volume along the plan's slab axis, in order, and the half-widths of intervals around it.

    Values below the floor of the normalisation, such as the padding around a CT's field of view, are unknown to the
    networks: they bypass them.

    Args:
        volume: the scan.
        plan: the passes and where their volumes lie.
        engines: that run each step.
        self_ensemble: whether slices also run rotated and mirrored.
        folder: for temporary files; needed where the plan puts something on disk.
        progress: called with the progress.
        estimators: of the uncertainty of each step; none estimates none.

    Yields:
        A span of the axis, the voxels there, (i, j, k), float32, in the scan's own units, and their half-widths, of the
        same shape and units, None where nothing estimates them.
    """
    if volume.is_constant:
        yield from ((span, slab, np.zeros_like(slab)) for span, slab in _constant_slabs(volume, plan))
        return
    axis, normalization = plan.slab_axis, normalization_of(volume)
    below = _BelowFloor(volume, normalization, plan)
    run = _Run(volume, plan, engines, self_ensemble, folder, _Meter(plan, progress), estimators or {})
    back = np.argsort(slice_order(axis))
    with ExitStack() as stack:
        for span, images, widths in stack.enter_context(closing(prefetch(run.slices(normalization, stack)))):
            # Nothing else needs these values any more: they become the result in place.
            normalization.invert(images, out=images)
            below.add_to(images, span)
            if widths is not None:
                widths = spread(_in_units(widths, normalization).transpose(back), images.transpose(back).shape)
            yield span, images.transpose(back), widths


def _in_units(widths: Images, normalization: Normalization) -> Images:
    """Return half-widths in the scan's own units, rounded up to a part in 32."""
    bits = np.multiply(widths, np.float32(normalization.data_range), dtype=np.float32).view(np.uint32)
    bits += DROPPED
    bits &= ~DROPPED
    return bits.view(np.float32)


def _constant_slabs(volume: Volume, plan: Plan) -> Iterator[tuple[slice, Images]]:
    """Yield a scan of one value, which no network has to see."""
    value = np.float32(volume.voxels.flat[0])
    axis, shape = plan.slab_axis, list(plan.shape)
    for span in spans(shape[axis], plan.slab):
        shape[axis] = span.stop - span.start
        yield span, np.full(shape, value, np.float32)


@dataclass(frozen=True)
class _Run:
    """The passes of a job while they run."""

    volume: Volume
    plan: Plan
    engines: Mapping[Step, Engine]
    self_ensemble: SelfEnsemble
    folder: Path | None
    meter: "_Meter"
    estimators: Mapping[Step, Engine]

    def slices(self, normalization: Normalization, stack: ExitStack) -> Generator[tuple[slice, Images, Images | None]]:
        """Return what yields the slices of the result, normalised; the stack closes what they are made of."""
        passes = [each for each in self.plan.passes if each.step.stage == "hw"]
        steps = [SliceStep(each.step, self._engine(each), self._estimator(each)) for each in passes]
        source, widths, shape = self._deepened(_Normalized(self.volume.voxels, normalization), stack)
        axis, size = self.plan.slab_axis, self.plan.slab
        return run_slice_steps(
            source, axis, shape[axis], size, steps, self.self_ensemble, self.meter.count_slices, widths
        )

    def _engine(self, each: Pass) -> Batched:
        return Batched(self.engines[each.step], each.batch)

    def _estimator(self, each: Pass) -> Batched | None:
        return Batched(self.estimators[each.step], each.batch) if each.step in self.estimators else None

    def _deepened(
        self, source: SlabSource, stack: ExitStack
    ) -> tuple[SlabSource, SlabSource | None, tuple[int, int, int]]:
        """Return the volume after all passes of the d stage, its half-widths and its shape; the stack closes their
        buffers.
        """
        shape, widths = self.volume.shape, None
        passes = [each for each in self.plan.passes if each.step.stage == "d"]
        for each, after in zip(passes, [*passes[1:], None], strict=False):
            readers = [self.plan.slab_axis] if after is None else _across(after.step)
            with stack.pop_all():
                source, widths = self._deeper(source, widths, each, shape, readers, stack)
            shape = each.shape
        return source, widths, shape

    def _deeper(
        self,
        source: SlabSource,
        before: SlabSource | None,
        each: Pass,
        shape: Sequence[int],
        readers: Sequence[int],
        stack: ExitStack,
    ) -> tuple[SlabBuffer, SlabBuffer | None]:
        """Return the volume after a pass of the d stage and its half-widths; on disk they are laid out for slabs across
        `readers`.
        """
        first, second, layout = _layout(_across(each.step), readers)
        as_made = (second, first, *each.step.axes)
        folder = self.folder if self.plan.between == "disk" else None
        final = as_made if folder is None else layout
        target = make_slab_buffer(each.shape, final, folder)
        stack.callback(target.close)
        estimator, widths = self._estimator(each), None
        if estimator is not None:
            widths = DepthWidths(estimator, before, make_slab_buffer(each.shape, final, folder, WIDTHS_DTYPE))
            stack.callback(widths.target.close)
        with ExitStack() as short:
            partial = target
            if folder is not None:
                # A file takes slabs across its first two axes only, and the orientations are across different ones.
                partial = make_slab_buffer(each.shape, as_made, folder)
                short.callback(partial.close)
            order, engine, count = (first, second), self._engine(each), self.meter.count_slices
            run_depth_step(source, partial, target, each.step, order, shape, engine, self.self_ensemble, count, widths)
        return target, None if widths is None else widths.target


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
    """A scan as the networks see it: normalised, not below the floor of its range."""

    def __init__(self, voxels: Array, normalization: Normalization) -> None:
        self._voxels, self._normalization = voxels, normalization

    def read(self, axis: int, span: slice) -> Images:
        """Return a slab (i, j, k), float32."""
        slab = self._normalization.apply(self._voxels[(slice(None),) * axis + (span,)])
        return np.clip(slab, 0, np.inf, out=slab)


class _BelowFloor:
    """What a scan has below the floor of its normalisation, repeated to the size of the result."""

    def __init__(self, volume: Volume, normalization: Normalization, plan: Plan) -> None:
        self._voxels, self._floor, self._axis = volume.voxels, np.float32(normalization.floor), plan.slab_axis
        self._order = slice_order(plan.slab_axis)
        self._factors = [plan.shape[axis] // volume.shape[axis] for axis in self._order]
        self._none = volume.value_range[0] >= normalization.floor
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
    """Counts the estimated seconds of the slices that are done, for a progress callback."""

    def __init__(self, plan: Plan, progress: ProgressCallback | None) -> None:
        self._progress, self._done, self._total = progress, 0.0, plan.seconds
        self._costs = {
            (each.step, (height, width)): seconds
            for each in plan.passes
            for (_, height, width), seconds in zip(each.stacks, each.per_slice, strict=True)
        }

    def count_slices(self, step: Step, size: tuple[int, int], count: int) -> None:
        """Count slices (height, width) of a step."""
        self._done += count * self._costs[step, size]
        if self._progress is not None:
            self._progress(step.label, min(self._done, self._total), self._total)
