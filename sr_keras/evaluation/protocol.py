"""The protocol of evaluation: downsample a scan, super-resolve it with every method, compare with the scan itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.description import Acquisition
from sr_keras.errors import ConfigurationError, SrKerasError, VolumeError
from sr_keras.evaluation.acquiring import Downsampling, acquired_as
from sr_keras.evaluation.interpolation import METHODS, interpolate
from sr_keras.evaluation.metrics import SSIM_WINDOW, Quality, measure
from sr_keras.inference.planning import Factors, plan_steps
from sr_keras.inference.upscaler import Upscaler
from sr_keras.progress import ProgressCallback, share_of
from sr_keras.volumes.geometry import rescaled_affine, through_plane_axis
from sr_keras.volumes.normalization import normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume, format_shape

Task = Literal["in-plane", "through-plane", "3-D"]
TASKS: tuple[Task, ...] = ("in-plane", "through-plane", "3-D")
Floats = npt.NDArray[np.float32]
# The scales that a message looks for models of.
SCALES = range(2, 9)


@dataclass(frozen=True)
class Comparison:
    """A scan and its super-resolution by each method from a downsampled copy.

    Attributes:
        ground_truth: the scan, float32, cropped to a multiple of the factors.
        task: which axes were downsampled and super-resolved: all but the through-plane axis, that one, or all three.
        factors: along i, j, k.
        axis: the through-plane axis, along which slices are cut.
        results: (i, j, k), float32, in the scan's own units, by method.
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
        data_range: of both, in the scan's units.
        slices: number of slices compared: all those with tissue in them.
        slices_left_out: number of the others.
    """

    method: str
    quality: Quality
    data_range: float
    slices: int
    slices_left_out: int


def possible_tasks(upscalers: Mapping[str, Upscaler], scale: int) -> list[Task]:
    """Return the tasks that every model has the stages for.

    Args:
        upscalers: models by the name to show.
        scale: the factor.
    """
    return [task for task in TASKS if all(_can(upscaler, task, scale) for upscaler in upscalers.values())]


def check_tasks(upscalers: Mapping[str, Upscaler], scale: int, tasks: Sequence[Task] = TASKS) -> list[Task]:
    """Return those of some tasks that every model has the stages for.

    Args:
        upscalers: models by the name to show.
        scale: the factor, 2 or more.
        tasks: to choose from.

    Raises:
        ConfigurationError: there is none.
    """
    can = possible_tasks(upscalers, scale) if scale > 1 else []
    possible = [task for task in tasks if task in can]
    if can and not possible:
        # A d stage upsamples any axis: without one, in-plane is all that can be done.
        raise ConfigurationError(
            f"the models have no d stage for a scale of {scale}, for {' and '.join(tasks)}; use --task "
            f"{' or '.join(can)}, or name a d stage too."
        )
    if not possible:
        scales = [str(each) for each in SCALES if set(tasks) & set(possible_tasks(upscalers, each))]
        remedy = f"use {' or '.join(scales)}" if scales else "use others"
        raise ConfigurationError(f"the models have no stages for a scale of {scale}; {remedy}.")
    return possible


def evaluate_scans(
    paths: Sequence[Path],
    read: Callable[[Path], Volume],
    tasks: Sequence[Task],
    scale: int,
    upscalers: Mapping[str, Upscaler],
    *,
    slice_axis: int | None = None,
    acquisition: Acquisition | None = None,
    report: ProgressCallback | None = None,
    fail: Callable[[Path, SrKerasError], None],
) -> Iterator[tuple[Comparison, list[Score]]]:
    """Yield the comparison and the scores of each task on each scan.

    Args:
        paths: of the scans.
        read: reads one.
        tasks: which axes to downsample.
        scale: the factor, 2 or more.
        upscalers: models by the name to show.
        slice_axis: the through-plane axis; None takes the axis with the largest spacing, else the third.
        acquisition: how scans are downsampled; None downsamples by antialiased cubic interpolation.
        report: progress callback, over all scans.
        fail: called with a scan that cannot be evaluated and the reason; the others go on.
    """
    for number, path in enumerate(paths):
        try:
            volume = read(path)
            axis = through_plane_axis(volume.spacing) if slice_axis is None else slice_axis
            downsampling = acquired_as(acquisition, volume, axis) if acquisition else downsample_volume
            for place, task in enumerate(tasks, number * len(tasks)):
                share = share_of(report, place, len(paths) * len(tasks), f"{path.name}, {task}, ") if report else None
                comparison = compare_methods(
                    volume, task, scale, upscalers, slice_axis=axis, report=share, downsampling=downsampling
                )
                yield comparison, score(comparison)
        except SrKerasError as error:
            fail(path, error)


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
    """Downsample a scan, by antialiased cubic interpolation without blur, and super-resolve it with every method.

    Args:
        volume: the scan, which is the ground truth.
        task: which axes to downsample.
        scale: the factor, 2 or more.
        upscalers: models by the name to show.
        slice_axis: the through-plane axis; None takes the axis with the largest spacing, else the third.
        report: progress callback.
        downsampling: another way to downsample.

    Raises:
        ConfigurationError: a model has no stage for the task, or the scale is no factor.
        VolumeError: the scan is too small for a network.
    """
    if scale < min(SCALES):
        raise ConfigurationError(f"A scale must be at least {min(SCALES)}, not {scale}.")
    axis = through_plane_axis(volume.spacing) if slice_axis is None else slice_axis
    factors = task_factors(task, scale, axis)
    lengths = [length // factor * factor for length, factor in zip(volume.shape, factors, strict=True)]
    ground_truth = volume.with_voxels(volume.voxels[tuple(slice(length) for length in lengths)].astype(np.float32))
    low = ground_truth.with_voxels(
        downsampling(ground_truth.voxels, factors), rescaled_affine(ground_truth.affine, factors)
    )
    results: dict[str, Floats] = {method: interpolate(low.voxels, factors, method) for method in METHODS}
    for number, (name, upscaler) in enumerate(upscalers.items()):
        share = share_of(report, number, len(upscalers), f"{name}, ") if report else None
        results[name] = upscaler.upscale(low, factors, slice_axis=axis, progress=share).voxels
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
        raise VolumeError(f"{ground_truth.source} shows no tissue; leave it out.")
    smallest = min(length for other, length in enumerate(ground_truth.shape) if other != axis)
    if smallest < SSIM_WINDOW:
        raise VolumeError(
            f"{ground_truth.source} of {format_shape(ground_truth.shape)} voxels has slices smaller than the window of "
            f"SSIM, {SSIM_WINDOW}x{SSIM_WINDOW}; leave it out."
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
    """Return the middle of a scan, for scores that need not take all of it.

    Args:
        volume: the scan.
        lengths: of the middle along i, j, k, in voxels; a shorter axis stays whole.
    """
    starts = [max(0, (whole - length) // 2) for whole, length in zip(volume.shape, lengths, strict=True)]
    affine = volume.affine @ np.block([[np.eye(3), np.array(starts)[:, None]], [np.zeros(3), 1]])
    box = tuple(slice(start, start + length) for start, length in zip(starts, lengths, strict=True))
    return volume.with_voxels(volume.voxels[box], affine)


def task_factors(task: Task, scale: int, axis: int) -> Factors:
    """Return the factors along i, j, k of a task.

    Args:
        task: which axes to downsample.
        scale: the factor.
        axis: the through-plane axis, 0, 1 or 2.
    """
    through, within = (1 if task == "in-plane" else scale), (1 if task == "through-plane" else scale)
    i, j, k = (through if each == axis else within for each in range(3))
    return i, j, k


def _can(upscaler: Upscaler, task: Task, scale: int) -> bool:
    try:
        plan_steps(task_factors(task, scale, 2), 2, [engine.card for engine in upscaler.engines])
    except ConfigurationError:
        return False
    return True
