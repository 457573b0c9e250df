"""One pass of a stage over a volume, slab by slab: every slice once for each orientation."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from sr_keras.engines import Batched, Engine, Images
from sr_keras.inference.planning import Step
from sr_keras.inference.prefetch import background_writer, prefetch
from sr_keras.inference.self_ensemble import SelfEnsemble, run_ensemble
from sr_keras.uncertainty.estimator import spread
from sr_keras.volumes.slab_buffers import SlabBuffer, SlabSource, spans

# Called with a step, the size (height, width) of its slices, and how many of them are done.
SliceCallback = Callable[[Step, tuple[int, int], int], None]

# Slices of the d stage that are cut out of a volume, and put into one, together: cutting few at a time would load the
# same cache lines again and again.
D_SLAB = 32
# Slices of the hw stage that are cut out of a volume together, for the same reason.
HW_SLAB = 8
# Rows of all slices of a slab that are transposed at a time, so that they stay in the processor's cache.
ROWS = 8


@dataclass(frozen=True)
class DepthWidths:
    """The half-widths of what a d step makes.

    Attributes:
        estimator: gives those of the step.
        before: those of its source; None where that is the scan.
        target: takes them.
    """

    estimator: Batched
    before: SlabSource | None
    target: SlabBuffer


def run_depth_step(
    source: SlabSource,
    partial: SlabBuffer,
    target: SlabBuffer,
    step: Step,
    order: Sequence[int],
    shape: Sequence[int],
    engine: Batched,
    self_ensemble: SelfEnsemble,
    on_slices: SliceCallback,
    widths: DepthWidths | None = None,
) -> None:
    """Upsample one axis of a volume: the mean of what the d stage makes of it in two orientations.

    Args:
        source: the volume, normalised, float32.
        partial: takes the first orientation; may be the target itself.
        target: takes the result.
        step: the stage and the axis that grows.
        order: the two axes that slices are cut across, the first orientation's first.
        shape: of the source.
        engine: runs the stage, in batches of its own size.
        self_ensemble: whether each slice also runs rotated and mirrored, and how the results are joined.
        on_slices: called with the slices that are done.
        widths: where half-widths go, in the second orientation; None estimates none.
    """
    first, second = order

    def join(span: slice, slab: Images, half_widths: Images | None) -> None:
        slab += partial.read(second, span)
        slab *= np.float32(0.5)
        target.write(second, span, slab)
        if widths is not None and half_widths is not None:
            before = None if widths.before is None else widths.before.read(second, span)
            widths.target.write(second, span, spread(joined_widths(half_widths, before), slab.shape))

    # Putting a slab into a volume takes one core a while, on disk above all: the engine goes on beside it.
    with background_writer(partial.write, waiting=0) as write:
        for span, slab, _ in _orientation(source, step, first, shape, engine, self_ensemble, on_slices):
            write(first, span, slab)
    with background_writer(join, waiting=0) as write_joined:
        estimator = None if widths is None else widths.estimator
        for made in _orientation(source, step, second, shape, engine, self_ensemble, on_slices, estimator):
            write_joined(*made)


def joined_widths(own: Images, before: Images | None) -> Images:
    """Return the half-widths after a step: those of its own and those of what it was made of add up in squares.

    Args:
        own: of the step, of any three axes, on the grid of its source.
        before: of its source, on the same grid or a coarser one; None where that is the scan.
    """
    if before is None:
        return own
    # A third of the time of `np.hypot`; normalised half-widths are far from overflowing.
    squares = np.square(before if before.shape == own.shape else spread(before, own.shape), dtype=np.float32)
    squares += np.square(own)
    return np.sqrt(squares, out=squares)


@dataclass(frozen=True)
class SliceStep:
    """A step of the hw stage.

    Attributes:
        step: the stage and the axes that grow.
        engine: runs it.
        estimator: gives the half-widths of what it makes; None where none are asked for.
    """

    step: Step
    engine: Engine
    estimator: Engine | None = None


def run_slice_steps(
    source: SlabSource,
    axis: int,
    length: int,
    size: int,
    steps: Sequence[SliceStep],
    self_ensemble: SelfEnsemble,
    on_slices: SliceCallback,
    widths: SlabSource | None = None,
) -> Generator[tuple[slice, Images, Images | None]]:
    """Upsample slices by the hw stage, a few at a time, as often as there are steps.

    Args:
        source: the volume, normalised, float32.
        axis: that slices are cut across.
        length: of that axis.
        size: slices at a time.
        steps: with the engine of each; none leaves the slices as they are.
        self_ensemble: as in `run_depth_step`.
        on_slices: called with the slices that are done.
        widths: half-widths of the volume; None where it is the scan.

    Yields:
        A span of the axis, its slices (slice, height, width), normalised, in the order of the axis, and their
        half-widths, on the grid that the last step began with, None where nothing estimates them.
    """
    with closing(prefetch(_cut(source, axis, slice_order(axis), length, hw_slab(size)))) as slabs:
        for span, slices in slabs:
            for part in spans(len(slices), size):
                images, whole = slices[part], slice(span.start + part.start, span.start + part.stop)
                half_widths = None if widths is None else widths.read(axis, whole).transpose(slice_order(axis))
                for each in steps:
                    before = images
                    images = run_ensemble(each.engine, images, self_ensemble)
                    on_slices(each.step, before.shape[1:], len(before))
                    if each.estimator is not None:
                        half_widths = joined_widths(each.estimator.run(before), half_widths)
                yield whole, images, half_widths


def hw_slab(size: int) -> int:
    """Return how many slices of the hw stage are cut at a time: about `HW_SLAB`, in whole batches of a size."""
    return size * max(1, HW_SLAB // size)


def slice_order(across: int, depth: int | None = None) -> tuple[int, int, int]:
    """Return the order of axes in which slices are cut: (across, height, width), width being the depth of a d step."""
    height, width = (axis for axis in range(3) if axis != across)
    return (across, width, height) if depth == height else (across, height, width)


def _orientation(
    source: SlabSource,
    step: Step,
    across: int,
    shape: Sequence[int],
    engine: Batched,
    self_ensemble: SelfEnsemble,
    on_slices: SliceCallback,
    estimator: Batched | None = None,
) -> Iterator[tuple[slice, Images, Images | None]]:
    """Yield the slabs (i, j, k) of a volume that the d stage makes of slices in one orientation, and half-widths."""
    order = slice_order(across, step.axes[0])
    with closing(prefetch(_cut(source, across, order, shape[across], D_SLAB))) as slabs:
        for span, images in slabs:
            count, height, depth = images.shape
            upsampled = np.empty((count, height, depth * step.scale), np.float32)
            for part in spans(count, engine.batch):
                run_ensemble(engine, images[part], self_ensemble, out=upsampled[part])
                on_slices(step, (height, depth), part.stop - part.start)
            back = np.argsort(order)
            half_widths = None if estimator is None else estimator.run(images).transpose(back)
            yield span, upsampled.transpose(back), half_widths


def _cut(
    source: SlabSource, across: int, order: Sequence[int], length: int, size: int
) -> Generator[tuple[slice, Images]]:
    """Yield spans of an axis of a volume and the slices there, cut in an order of the axes.

    Normalising and transposing them takes one core a while: it is worth a thread of its own, beside the engine's.
    """
    for span in spans(length, size):
        view = source.read(across, span).transpose(order)
        images = np.empty(view.shape, np.float32)
        for rows in spans(view.shape[1], ROWS):
            images[:, rows] = view[:, rows]
        yield span, images
