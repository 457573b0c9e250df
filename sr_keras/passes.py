"""One pass of a stage over a volume, slab by slab: every slice once for each orientation."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Literal

import numpy as np

from sr_keras.background import in_background, made_ahead
from sr_keras.engines import Engine, Images
from sr_keras.networks import StageName
from sr_keras.planning import Step
from sr_keras.stores import Source, Store, spans

Ensemble = Literal["none", "mean", "median"]
ENSEMBLES: tuple[Ensemble, ...] = ("none", "mean", "median")
# Called with what is being done, how much of the whole job is done, and how much there is, in seconds of work. The hw
# stage calls it from a thread of its own.
Report = Callable[[str, float, float], None]
# Called with a step, the size (height, width) of its slices, and how many of them are done.
Advance = Callable[[Step, tuple[int, int], int], None]

# Slices of the d stage that are put into a volume together. They lie across it, and few of them at a time would reach
# for the same line of the processor's cache again and again.
D_SLAB = 32

Transform = Callable[[Images], Images]


def run_depth_step(
    source: Source,
    partial: Store,
    target: Store,
    step: Step,
    order: Sequence[int],
    shape: Sequence[int],
    engine: Engine,
    ensemble: Ensemble,
    advance: Advance,
) -> None:
    """Enlarge one axis of a volume: the mean of what the d stage makes of it in two orientations.

    Args:
        source: the volume, normalised, float32.
        partial: takes the first orientation; may be the target itself.
        target: takes the result.
        step: the stage and the axis that grows.
        order: the two axes that slices are cut across, the first orientation's first.
        shape: of the source.
        engine: runs the stage.
        ensemble: whether each slice is also done turned and mirrored, and how the results are joined.
        advance: told about progress.
    """
    first, second = order

    def join(span: slice, slab: Images) -> None:
        slab += partial.read(second, span)
        slab *= np.float32(0.5)
        target.write(second, span, slab)

    # Putting a slab into a volume turns it, which takes one core a while: the engine goes on beside it.
    with in_background(partial.write, waiting=0) as write:
        for span, slab in _orientation(source, step, first, shape, engine, ensemble, advance):
            write(first, span, slab)
    with in_background(join, waiting=0) as write_joined:
        for span, slab in _orientation(source, step, second, shape, engine, ensemble, advance):
            write_joined(span, slab)


def run_slice_steps(
    source: Source,
    axis: int,
    length: int,
    size: int,
    steps: Sequence[tuple[Step, Engine]],
    ensemble: Ensemble,
    advance: Advance,
) -> Generator[tuple[slice, Images]]:
    """Enlarge slices by the hw stage, a few at a time, as often as there are steps.

    Args:
        source: the volume, normalised, float32.
        axis: that slices are cut across.
        length: of that axis.
        size: slices at a time.
        steps: with the engine of each; none leaves the slices as they are.
        ensemble: as in `run_depth_step`.
        advance: told about progress.

    Yields:
        A span of the axis, and its slices (slice, height, width), normalised, in the order of the axis.
    """
    order = slice_order(axis)
    for span in spans(length, size):
        images = np.ascontiguousarray(source.read(axis, span).transpose(order))
        for step, engine in steps:
            before = images.shape
            images = _joined(engine, images, ensemble)
            advance(step, before[1:], before[0])
        yield span, images


def symmetries(stage: StageName) -> list[tuple[Transform, Transform]]:
    """Return the ways to turn and mirror images under which a stage sees the same task, each with its inverse.

    4 rotations x 2 flips for the hw stage; 2 rotations x 2 flips for the d stage, whose second axis stays depth.
    """
    turns = range(4) if stage == "hw" else (0, 2)
    return [_symmetry(turn, flip) for turn in turns for flip in (False, True)]


def slice_order(across: int, depth: int | None = None) -> tuple[int, int, int]:
    """Return the order of axes in which slices are cut: (across, height, width), width being the depth of a d step."""
    height, width = (axis for axis in range(3) if axis != across)
    return (across, width, height) if depth == height else (across, height, width)


def _orientation(
    source: Source, step: Step, across: int, shape: Sequence[int], engine: Engine, ensemble: Ensemble, advance: Advance
) -> Iterator[tuple[slice, Images]]:
    """Yield the slabs (i, j, k) of a volume that the d stage makes of slices in one orientation."""
    order = slice_order(across, step.axes[0])

    def cut() -> Generator[tuple[slice, Images]]:
        for span in spans(shape[across], D_SLAB):
            yield span, np.ascontiguousarray(source.read(across, span).transpose(order))

    # Normalising and turning a slab keeps one core busy: the engine goes on with the last one beside it.
    with closing(made_ahead(cut())) as slabs:
        for span, images in slabs:
            enlarged = _joined(engine, images, ensemble)
            advance(step, images.shape[1:], len(images))
            yield span, enlarged.transpose(np.argsort(order))


def _symmetry(turns: int, flip: bool) -> tuple[Transform, Transform]:
    def transform(images: Images) -> Images:
        return np.ascontiguousarray(np.rot90(images[:, ::-1] if flip else images, turns, axes=(1, 2)))

    def inverse(images: Images) -> Images:
        turned = np.rot90(images, -turns, axes=(1, 2))
        return turned[:, ::-1] if flip else turned

    return transform, inverse


def _joined(engine: Engine, images: Images, ensemble: Ensemble) -> Images:
    """Return what a stage makes of images, an array of its own; not below zero, the darkest that networks know."""
    if ensemble == "none":
        return np.maximum(engine.run(images), 0)
    ways = symmetries(engine.card.stage)
    outputs = np.stack([inverse(engine.run(transform(images))) for transform, inverse in ways])
    # The median sorts a copy of them all unless it may have them.
    joined: Images = outputs.mean(axis=0) if ensemble == "mean" else np.median(outputs, axis=0, overwrite_input=True)
    return np.maximum(joined, 0)
