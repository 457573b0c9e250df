"""One pass of a stage over a volume: every slice once for each orientation, in batches."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from sr_keras.engines import Engine, Images
from sr_keras.networks import StageName
from sr_keras.planning import Step

Ensemble = Literal["none", "mean", "median"]
ENSEMBLES: tuple[Ensemble, ...] = ("none", "mean", "median")
# Called with what is being done, how many slices of it are done, and how many there are.
Report = Callable[[str, int, int], None]

# Memory that the activations of one batch may take, in bytes, and what an output pixel of a network takes of it: a few
# layers of 32 float32 channels are alive at a time.
ACTIVATION_BUDGET = 256 << 20
ACTIVATION_BYTES_PER_PIXEL = 3 * 32 * 4

Transform = Callable[[Images], Images]


def run_step(voxels: Images, step: Step, engine: Engine, ensemble: Ensemble, report: Report | None) -> Images:
    """Return a volume after one pass of a stage.

    Args:
        voxels: (i, j, k), float32, normalised.
        step: the stage and the axes that grow.
        engine: runs that stage.
        ensemble: whether each slice is also done turned and mirrored, and how the results are joined.
        report: told about progress.
    """
    orders = _orientations(step)
    total, done = sum(voxels.shape[order[0]] for order in orders), 0

    def advance(slices: int) -> None:
        nonlocal done
        done += slices
        if report:
            report(step.label, done, total)

    passes = (_one_orientation(voxels, step, order, engine, ensemble, advance) for order in orders)
    # Summed in place, since an enlarged volume is the largest thing in memory.
    result = next(passes)
    for other in passes:
        result += other
    result /= np.float32(len(orders))
    return result


def symmetries(stage: StageName) -> list[tuple[Transform, Transform]]:
    """Return the ways to turn and mirror images under which a stage sees the same task, each with its inverse.

    4 rotations x 2 flips for the hw stage; 2 rotations x 2 flips for the d stage, whose second axis stays depth.
    """
    turns = range(4) if stage == "hw" else (0, 2)
    return [_symmetry(turn, flip) for turn in turns for flip in (False, True)]


def _one_orientation(
    voxels: Images,
    step: Step,
    order: tuple[int, int, int],
    engine: Engine,
    ensemble: Ensemble,
    advance: Callable[[int], None],
) -> Images:
    """Return the enlarged volume (i, j, k) from slices cut in one order of axes (across, height, width)."""
    slices = voxels.transpose(order)
    factors = [step.scale if axis in step.axes else 1 for axis in order]
    enlarged = np.empty([length * factor for length, factor in zip(slices.shape, factors, strict=True)], np.float32)
    for batch in _batches(slices.shape, step):
        images = np.ascontiguousarray(slices[batch])
        enlarged[batch] = _joined(engine, images, ensemble)
        advance(len(images))
    return enlarged.transpose(np.argsort(order))


def _symmetry(turns: int, flip: bool) -> tuple[Transform, Transform]:
    def transform(images: Images) -> Images:
        return np.ascontiguousarray(np.rot90(images[:, ::-1] if flip else images, turns, axes=(1, 2)))

    def inverse(images: Images) -> Images:
        turned = np.rot90(images, -turns, axes=(1, 2))
        return turned[:, ::-1] if flip else turned

    return transform, inverse


def _joined(engine: Engine, images: Images, ensemble: Ensemble) -> Images:
    if ensemble == "none":
        return engine.run(images)
    outputs = [inverse(engine.run(transform(images))) for transform, inverse in symmetries(engine.card.stage)]
    joined: Images = np.mean(outputs, axis=0) if ensemble == "mean" else np.median(outputs, axis=0)
    return joined


def _orientations(step: Step) -> list[tuple[int, int, int]]:
    """Return the orders of axes in which slices are cut: (across, height, width), width being the depth of a d step."""
    across = [axis for axis in range(3) if axis not in step.axes]
    if step.stage == "hw":
        return [(across[0], *step.axes)]  # type: ignore[list-item]
    first, second = across
    return [(second, first, step.axes[0]), (first, second, step.axes[0])]


def _batches(shape: Sequence[int], step: Step) -> Iterator[slice]:
    """Cut the first axis of a stack of slices into batches whose activations fit the budget."""
    count, height, width = shape
    pixels = height * width * step.scale ** len(step.axes)
    size = max(1, ACTIVATION_BUDGET // (pixels * ACTIVATION_BYTES_PER_PIXEL))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
