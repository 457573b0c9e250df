"""Measure stages where the truth is known: reduce a scan, restore it by every method, compare it with itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.evaluation.interpolation import METHODS, interpolate
from sr_keras.evaluation.metrics import SSIM_WINDOW, Quality, measure
from sr_keras.inference.passes import ProgressCallback
from sr_keras.inference.planning import Factors, plan_steps
from sr_keras.inference.upscaler import Upscaler
from sr_keras.volumes.geometry import rescaled_affine, through_plane_axis
from sr_keras.volumes.normalization import normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume, format_shape

Task = Literal["in-plane", "through-plane", "3-D"]
TASKS: tuple[Task, ...] = ("in-plane", "through-plane", "3-D")
Floats = npt.NDArray[np.float32]
# Makes a true scan (i, j, k) smaller by factors along i, j, k.
Downsampling = Callable[[Floats, Sequence[int]], Floats]


@dataclass(frozen=True)
class Comparison:
    """A scan that was reduced, and what each method makes of it.

    Attributes:
        ground_truth: the scan, float32, cropped to a multiple of the factors.
        task: which axes were reduced and restored: all but the through-plane axis, that one, or all three.
        factors: by how much along i, j, k.
        axis: the through-plane axis, along which slices are cut.
        results: (i, j, k), float32, by method.
    """

    ground_truth: Volume
    task: Task
    factors: Factors
    axis: int
    results: Mapping[str, Floats]


@dataclass(frozen=True)
class Score:
    """The quality of one method on one task.

    Attributes:
        method: an interpolation or a model.
        quality: PSNR and SSIM.
        data_range: that both are relative to, in the scan's units.
        slices: how many slices were compared: all those with tissue in them.
        slices_left_out: how many were not.
    """

    method: str
    quality: Quality
    data_range: float
    slices: int
    slices_left_out: int


def possible_tasks(upscalers: Mapping[str, Upscaler], scale: int) -> list[Task]:
    """Return the tasks that every model has the stages for."""
    return [task for task in TASKS if all(_can(upscaler, task, scale) for upscaler in upscalers.values())]


def compare_methods(
    volume: Volume,
    task: Task,
    scale: int,
    upscalers: Mapping[str, Upscaler],
    *,
    slice_axis: int | None = None,
    report: ProgressCallback | None = None,
    downsampling: Downsampling = downsample_volume,
) -> Comparison:
    """Reduce a scan, by antialiased cubic interpolation without smoothing, and restore it by every method.

    Args:
        volume: the true scan.
        task: which axes to reduce.
        scale: by how much.
        upscalers: models by the name to show.
        slice_axis: the through-plane axis; None takes the axis with the largest spacing, else the third.
        report: told about progress.
        downsampling: how the scan is reduced, where it is to be another way.

    Raises:
        ConfigurationError: a model has no stage for the task.
        VolumeError: the scan is too small for a network.
    """
    axis = through_plane_axis(volume.spacing) if slice_axis is None else slice_axis
    factors = task_factors(task, scale, axis)
    lengths = [length // factor * factor for length, factor in zip(volume.shape, factors, strict=True)]
    ground_truth = volume.with_voxels(volume.voxels[tuple(slice(length) for length in lengths)].astype(np.float32))
    reduced = ground_truth.with_voxels(
        downsampling(ground_truth.voxels, factors), rescaled_affine(ground_truth.affine, factors)
    )
    results: dict[str, Floats] = {method: interpolate(reduced.voxels, factors, method) for method in METHODS}
    for name, upscaler in upscalers.items():
        results[name] = upscaler.upscale(reduced, factors, slice_axis=axis, progress=report).voxels
    return Comparison(ground_truth, task, factors, axis, results)


def score(comparison: Comparison) -> list[Score]:
    """Return the score of every method over the slices with tissue in them.

    Raises:
        VolumeError: there is no such slice, or slices are smaller than SSIM's window.
    """
    ground_truth, axis = comparison.ground_truth, comparison.axis
    normalization = normalization_of(ground_truth)
    slices = tissue_slices(tissue_mask(ground_truth, normalization), axis)
    if slices.size == 0:
        raise VolumeError(
            f"{ground_truth.source}: a scan to evaluate on must show tissue. Received: an empty one. Leave it out."
        )
    smallest = min(length for other, length in enumerate(ground_truth.shape) if other != axis)
    if smallest < SSIM_WINDOW:
        raise VolumeError(
            f"{ground_truth.source}: slices must be at least {SSIM_WINDOW} voxels wide, the window of SSIM. "
            f"Received: {format_shape(ground_truth.shape)}. Use a larger scan."
        )
    ground_truth_slices, data_range = ground_truth.voxels.take(slices, axis), normalization.data_range
    return [
        Score(
            method,
            measure(ground_truth_slices, voxels.take(slices, axis), data_range=data_range, axis=axis),
            data_range,
            slices.size,
            ground_truth.shape[axis] - slices.size,
        )
        for method, voxels in comparison.results.items()
    ]


def middle_box(volume: Volume, lengths: Sequence[int]) -> Volume:
    """Return the middle of a scan, of at most `lengths` voxels, for figures that need not see all of it."""
    starts = [max(0, (whole - length) // 2) for whole, length in zip(volume.shape, lengths, strict=True)]
    affine = volume.affine @ np.block([[np.eye(3), np.array(starts)[:, None]], [np.zeros(3), 1]])
    box = tuple(slice(start, start + length) for start, length in zip(starts, lengths, strict=True))
    return volume.with_voxels(volume.voxels[box], affine)


def task_factors(task: Task, scale: int, axis: int) -> Factors:
    """Return the factors along i, j, k of a task for a through-plane axis."""
    through, within = (1 if task == "in-plane" else scale), (1 if task == "through-plane" else scale)
    i, j, k = (through if each == axis else within for each in range(3))
    return i, j, k


def _can(upscaler: Upscaler, task: Task, scale: int) -> bool:
    try:
        plan_steps(task_factors(task, scale, 2), 2, [engine.card for engine in upscaler.engines])
    except ConfigurationError:
        return False
    return True
