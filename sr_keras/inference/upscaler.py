"""Super-resolve a volume with trained stages; geometry and intensities are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from sr_keras.engines import Engine
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.inference.adapter import Adapter
from sr_keras.inference.budget import CostModel, OutputBuffer, Plan, budget_of, check_least_memory, plan_within_budget
from sr_keras.inference.conditions import Conditions, check_can_be_told, folded_engines
from sr_keras.inference.output_grid import Grid, OutputGrid, Scale, output_grid
from sr_keras.inference.planning import (
    SLOWEST_AXIS,
    Step,
    check_slices,
    plan_steps,
    slab_axis_of,
    upsampled_shape,
)
from sr_keras.inference.prepared import FLOAT_BYTES, PreparedJob, WarningCallback
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.inference.timing import Timing, load, timing_of
from sr_keras.progress import ProgressCallback
from sr_keras.resources import check_disk
from sr_keras.uncertainty.estimator import estimator_of
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.volume import Volume

# Float32 copies of the scan that exist at once while the result is made consistent with it.
BACK_PROJECTION_COPIES = 4
# What a last resampling takes with half-widths beside the result, over what it takes without.
RESAMPLED_WITH_WIDTHS = 4
# Time with the half-widths over that without, measured on the stages of `fast`.
ESTIMATED_SHARE = 1.12
# Of a last resampling, measured on one core of an Intel Xeon.
SECONDS_PER_SOURCE_VOXEL, SECONDS_PER_RESULT_VOXEL, SECONDS_PER_OBLIQUE_VOXEL = 3e-8, 2e-8, 1.3e-6


@dataclass(frozen=True)
class Upscaler:
    """Trained stages and how to apply them.

    Attributes:
        engines: the stages at hand, one for each stage and scale.
        self_ensemble: "mean" or "median" runs each slice rotated and mirrored as well and joins the results.
        data_consistency: whether back-projection makes the downsampled result equal to the scan.
        conditions: what conditional stages are told of each scan, the noise that is kept among it.
        adapter: adapts the stage that upsamples the through-plane axis to each scan before it runs; None adapts none.
        uncertainty: whether jobs also give the half-widths of intervals around each voxel.

    Raises:
        ConfigurationError: two engines are of one stage and scale, or nothing estimates the uncertainty of what is
            asked for.

    >>> from sr_keras import Upscaler, choose_stages, load_engine, read_volume, shipped_stages
    >>> upscaler = Upscaler([load_engine(name) for name in choose_stages(shipped_stages())])
    >>> upscaler.upscale(read_volume("scan.nii.gz"), (2, 2, 1)).summary
    '96x80x24 voxels of 0.572917x0.572917x1 mm, MR'
    """

    engines: Sequence[Engine]
    self_ensemble: SelfEnsemble = "none"
    data_consistency: bool = False
    conditions: Conditions = field(default_factory=Conditions)
    adapter: Adapter | None = None
    uncertainty: bool = False

    def __post_init__(self) -> None:
        """Refuse engines of which one would never be used, and an uncertainty that nothing estimates."""
        other = "data consistency" if self.data_consistency else "adapted stages" if self.adapter else ""
        if self.uncertainty and other:
            raise ConfigurationError(f"The uncertainty was not calibrated with {other}; leave one of the two out.")
        kinds = [f"{engine.card.stage} x{engine.card.scale}" for engine in self.engines]
        if len(set(kinds)) < len(kinds):
            raise ConfigurationError(f"Two engines are for one stage and scale ({', '.join(kinds)}); leave one out.")

    def upscale(
        self,
        volume: Volume,
        factors: Scale = (2, 2, 2),
        *,
        spacing: Sequence[float] | None = None,
        like: Grid | None = None,
        slice_axis: int | None = None,
        memory: int | None = None,
        progress: ProgressCallback | None = None,
        warn: WarningCallback | None = None,
    ) -> Volume:
        """Return the volume at a higher resolution.

        Args:
            volume: the scan, (i, j, k).
            factors: along i, j, k, numbers from 1 to 8. What no stages make is made by larger ones and an antialiased
                cubic resampling; the field of view stays, so that a factor that does not divide it changes a little.
            spacing: to reach instead, in mm along i, j, k, in the same way. The first voxel edges stay where they are;
                where the spacing does not divide the field of view, the last ones move by half a voxel at most.
            like: the grid to put the result onto instead; voxels beyond the scan hold the floor of its values.
            slice_axis: the through-plane axis, 0, 1 or 2; None takes the axis with the largest spacing, else the third.
            memory: bytes that this process may take in all; None takes most of what is free now.
            progress: called with the progress.
            warn: called with each warning about the result.

        Returns:
            A float32 volume in the scan's own units whose voxel edges enclose the same box, or on the grid of `like`.

        Raises:
            ConfigurationError: no stages make these factors, or an argument is out of its range.
            VolumeError: an axis is too short for a network, a voxel is not finite, or the result does not fit into
                memory.
        """
        job = self.prepare(volume, factors, spacing=spacing, like=like, slice_axis=slice_axis, memory=memory)
        job = self.adapted(job, memory=memory, progress=progress)
        if warn:
            for warning in job.warnings:
                warn(warning)
        return job.collect(progress, warn)

    def prepare(
        self,
        volume: Volume,
        factors: Scale = (2, 2, 2),
        *,
        spacing: Sequence[float] | None = None,
        like: Grid | None = None,
        slice_axis: int | None = None,
        memory: int | None = None,
        stored_bytes: int = FLOAT_BYTES,
        stream: bool = False,
        folder: Path | None = None,
    ) -> PreparedJob:
        """Work a job out: its grid, steps, engines and plan. The engines are loaded and, the first time, timed.

        Args:
            volume: as in `upscale`.
            factors: as in `upscale`.
            spacing: as in `upscale`.
            like: as in `upscale`.
            slice_axis: as in `upscale`.
            memory: as in `upscale`.
            stored_bytes: bytes a voxel of the result where it is written.
            stream: whether slabs may be written as they come; otherwise the result is collected in memory.
            folder: where temporary files of a stream may lie; None makes none.

        Raises:
            ConfigurationError: as in `upscale`.
            VolumeError: as in `upscale`.
            OutputError: temporary files do not fit on the disk.
        """
        axis = _checked_axis(volume, slice_axis)
        at_hand = self.adapter.engines(self.engines) if self.adapter else self.engines
        cards = [engine.card for engine in at_hand]
        grid = output_grid(volume, factors, spacing, cards, like)
        steps = plan_steps(grid.factors, axis, cards)
        engines: Mapping[Step, Engine] = {step: _engine(at_hand, step) for step in steps}
        check_can_be_told(engines, self.conditions, adapts=self.adapter is not None)
        if self.adapter:
            self.adapter.check(volume, axis, engines)
        check_slices(volume, grid.factors, axis, steps, cards)
        _check_finite(volume)
        if not volume.is_constant:
            engines = folded_engines(engines, volume, self.conditions)
        if self.uncertainty and not steps:
            raise ConfigurationError("No network runs at this scale, so there is no uncertainty; choose a larger one.")
        estimated = self.uncertainty and not volume.is_constant
        estimators = {step: estimator_of(engine) for step, engine in engines.items()} if estimated else {}
        streams = stream and not self.data_consistency
        output = self._output_buffer(volume, grid, steps, stored_bytes, streams=streams)
        plan = self._plan(volume, steps, engines, output, memory, disk=streams and folder is not None)
        if folder is not None:
            check_disk(plan.disk_bytes, folder)
        return PreparedJob(
            volume,
            grid,
            axis,
            plan,
            engines,
            self.self_ensemble,
            self.data_consistency,
            streams,
            folder,
            stored_bytes,
            estimators=estimators,
        )

    def adapted(
        self, job: PreparedJob, *, memory: int | None = None, progress: ProgressCallback | None = None
    ) -> PreparedJob:
        """Return a job whose through-plane stage is adapted to its scan; the job itself where nothing is to be adapted.

        Args:
            job: as `prepare` returns it.
            memory: as in `upscale`.
            progress: as in `upscale`.

        Raises:
            VolumeError: the scan has nothing to learn from, or the memory does not suffice.
        """
        if self.adapter is None:
            return job
        adaptation = self.adapter.adapt(
            job.volume, job.slice_axis, job.engines, self.conditions.noise, memory, progress
        )
        engines = {**job.engines, adaptation.step: adaptation.engine}
        output = self._output_buffer(job.volume, job.grid, job.steps, job.stored_bytes, streams=job.streams)
        disk = job.streams and job.folder is not None
        # What training has brought into memory counts; the times are those of the stage that it began with.
        budget = budget_of(memory, disk=disk)
        plan = plan_within_budget(
            *(job.volume.source, job.volume.shape, job.steps, self.self_ensemble, output, budget),
            _cost_model(job.engines),
        )
        return replace(job, plan=plan, engines=engines, adaptation=adaptation)

    def _output_buffer(
        self, volume: Volume, grid: OutputGrid, steps: Sequence[Step], stored_bytes: int, *, streams: bool
    ) -> OutputBuffer:
        # Half-widths are float32 where the result is written, too.
        voxel = stored_bytes + (FLOAT_BYTES if self.uncertainty else 0)
        buffer = _stream_buffer(volume, grid, steps, voxel) if streams else self._collect_buffer(volume, grid, steps)
        # Both are resampled, and what comes of the one waits until the other has taken as much.
        workspace = RESAMPLED_WITH_WIDTHS * buffer.workspace if self.uncertainty else buffer.workspace
        return replace(buffer, uncertainty=self.uncertainty, workspace=workspace)

    def _plan(
        self,
        volume: Volume,
        steps: Sequence[Step],
        engines: Mapping[Step, Engine],
        output: OutputBuffer,
        memory: int | None,
        *,
        disk: bool,
    ) -> Plan:
        job = (volume.source, volume.shape, steps, self.self_ensemble, output)
        # What cannot fit is refused before anything is loaded for it.
        check_least_memory(*job, budget_of(memory, disk=disk))
        if volume.is_constant:
            return plan_within_budget(*job, budget_of(memory, disk=disk))
        for engine in engines.values():
            load(engine)
        share = ESTIMATED_SHARE if self.uncertainty else 1.0
        return plan_within_budget(*job, budget_of(memory, disk=disk), _cost_model(engines, share))

    def _collect_buffer(self, volume: Volume, grid: OutputGrid, steps: Sequence[Step]) -> OutputBuffer:
        """Return what a result takes that is made as a whole, float32."""
        voxels = prod(grid.shape) * (2 if self.uncertainty else 1)
        if self.data_consistency:
            upsampled = prod(upsampled_shape(volume.shape, grid.factors))
            voxels = BACK_PROJECTION_COPIES * prod(volume.shape) + upsampled + (voxels if grid.regridding else 0)
        return _with_resampling(OutputBuffer(FLOAT_BYTES * voxels), volume, grid, steps)


def _engine(engines: Sequence[Engine], step: Step) -> Engine:
    return next(engine for engine in engines if (engine.card.stage, engine.card.scale) == (step.stage, step.scale))


def _stream_buffer(volume: Volume, grid: OutputGrid, steps: Sequence[Step], stored_bytes: int) -> OutputBuffer:
    """Return what a file takes that cannot be written in the order in which the result is made."""
    axis = slab_axis_of(steps)
    in_order = grid.regridding.is_in_order(axis) if grid.regridding else axis == SLOWEST_AXIS
    buffer = OutputBuffer(0 if in_order else stored_bytes * prod(grid.shape), on_disk=True)
    return _with_resampling(buffer, volume, grid, steps)


def _with_resampling(buffer: OutputBuffer, volume: Volume, grid: OutputGrid, steps: Sequence[Step]) -> OutputBuffer:
    """Add what a last resampling takes."""
    if grid.regridding is None:
        return buffer
    seconds = SECONDS_PER_SOURCE_VOXEL * prod(upsampled_shape(volume.shape, grid.factors))
    oblique = grid.regridding.axes is None
    seconds += (SECONDS_PER_OBLIQUE_VOXEL if oblique else SECONDS_PER_RESULT_VOXEL) * prod(grid.shape)
    return replace(buffer, workspace=grid.workspace_bytes(slab_axis_of(steps)), resampling_seconds=seconds)


def _cost_model(engines: Mapping[Step, Engine], share: float = 1.0) -> CostModel:
    """Return what times slices; their seconds are multiplied by a share."""

    def timed(step: Step, height: int, width: int) -> Timing:
        timing = timing_of(engines[step], height, width)
        return replace(timing, seconds=share * timing.seconds)

    return cache(timed)


def _checked_axis(volume: Volume, slice_axis: int | None) -> int:
    if slice_axis is None:
        return through_plane_axis(volume.spacing)
    if slice_axis not in (0, 1, 2):
        raise ConfigurationError(f"The slice axis must be 0, 1 or 2. Received: {slice_axis}.")
    return slice_axis


def _check_finite(volume: Volume) -> None:
    """Refuse voxels that float32, in which networks run, does not hold."""
    least, greatest = volume.value_range
    if not (np.isfinite([least, greatest]).all() and max(-least, greatest) <= float(np.finfo(np.float32).max)):
        raise VolumeError(
            f"{volume.source}: voxels range from {least:g} to {greatest:g}, beyond what float32 holds; "
            "repair or rescale the scan first."
        )
