"""Enlarge a volume with trained stages; geometry and intensities are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from pathlib import Path

import numpy as np

from sr_keras.engines import Engine
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.files import check_disk
from sr_keras.inference.back_projection import back_project
from sr_keras.inference.budget import OutputBuffer, budget_of, plan_within_budget
from sr_keras.inference.passes import Report, slice_order
from sr_keras.inference.planning import Factors, Step, factors_for_spacing, plan_steps
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.inference.streaming import Enlarging
from sr_keras.inference.timing import Timing, load, timing_of
from sr_keras.volumes.geometry import rescaled_affine, through_plane_axis
from sr_keras.volumes.resampling import resample_axis
from sr_keras.volumes.slab_buffers import MemorySlabBuffer
from sr_keras.volumes.volume import Volume, format_shape

# Float32 copies of the enlarged volume that exist at once while an axis is resampled: before, after, and in between.
RESAMPLING_COPIES = 3
# Float32 copies of the scan that exist at once while the result is made consistent with it.
CONSISTENCY_COPIES = 4
NO_OUTPUT_BUFFER = OutputBuffer()
# A last resampling that changes the spacing by less than this fraction would only smooth.
SAME_SPACING = 1e-6

# Called with a sentence about the result that its user should read.
Notice = Callable[[str], None]


@dataclass(frozen=True)
class Upscaler:
    """Trained stages and how to apply them.

    Attributes:
        engines: the stages at hand, one for each stage and scale.
        self_ensemble: "mean" or "median" does each slice turned and mirrored as well and joins the results.
        data_consistency: whether back-projection makes the downsampled result equal to the scan.

    Raises:
        ConfigurationError: two engines are of one stage and scale.
    """

    engines: Sequence[Engine]
    self_ensemble: SelfEnsemble = "none"
    data_consistency: bool = False

    def __post_init__(self) -> None:
        """Refuse engines of which one would never be used."""
        kinds = [f"{engine.card.stage} x{engine.card.scale}" for engine in self.engines]
        if len(set(kinds)) < len(kinds):
            raise ConfigurationError(
                f"Engines must be one for each stage and scale. Received: {', '.join(kinds)}. Leave out all but one."
            )

    def plan(self, factors: Factors, slice_axis: int) -> list[Step]:
        """Return the passes that enlarge a volume by whole factors along i, j, k.

        Raises:
            ConfigurationError: no stage makes these factors.
        """
        return plan_steps(factors, slice_axis, [engine.card for engine in self.engines])

    def factors_for(self, volume: Volume, spacing: Sequence[float]) -> Factors:
        """Return the factors by which the stages enlarge this volume before it is resampled to a spacing in mm."""
        return factors_for_spacing(volume.spacing, spacing, [engine.card for engine in self.engines])

    def enlarge(
        self,
        volume: Volume,
        factors: Factors,
        *,
        slice_axis: int | None = None,
        memory: int | None = None,
        report: Report | None = None,
        notice: Notice | None = None,
    ) -> Volume:
        """Return the volume with each axis enlarged by a whole factor.

        Args:
            volume: the scan.
            factors: along i, j, k.
            slice_axis: the through-plane axis; None takes the axis with the largest spacing, else the third.
            memory: bytes that this process may take in all; None takes most of what is free now.
            report: told about progress.
            notice: told how far from the scan the result was, reduced again, where it is made consistent.

        Returns:
            A float32 volume in the scan's own units whose voxel edges enclose the same box.

        Raises:
            ConfigurationError: no stage makes these factors.
            VolumeError: an axis is too short for a network, or the result does not fit into memory.
        """
        return self._collected(volume, factors, slice_axis, memory, report, notice, copies=1)

    def enlarging(
        self,
        volume: Volume,
        factors: Factors,
        *,
        slice_axis: int | None = None,
        memory: int | None = None,
        kept: OutputBuffer = NO_OUTPUT_BUFFER,
        folder: Path | None = None,
    ) -> Enlarging:
        """Return the job that makes the same volume slab by slab. The engines are loaded and, the first time, timed.

        Args:
            volume: the scan.
            factors: along i, j, k.
            slice_axis: as in `enlarge`.
            memory: as in `enlarge`.
            kept: what the one who takes the slabs keeps of them.
            folder: where temporary files may lie; None makes none.

        Raises:
            ConfigurationError: no stage makes these factors.
            VolumeError: an axis is too short for a network, or the job does not fit into memory or on the disk.
        """
        axis = through_plane_axis(volume.spacing) if slice_axis is None else slice_axis
        steps = self.plan(factors, axis)
        engines = {step: self._engine(step) for step in steps}
        plan = partial(
            plan_within_budget, volume.source, volume.shape, steps, self_ensemble=self.self_ensemble, kept=kept
        )
        # What cannot be is refused before anything is loaded for it.
        found = plan(price=_unknown, budget=budget_of(memory, disk=folder is not None))
        self._check_reach(volume, steps)
        if volume.voxels.min() != volume.voxels.max():
            for engine in engines.values():
                load(engine)
            budget = budget_of(memory, disk=folder is not None)
            found = plan(price=cache(lambda step, *size: timing_of(engines[step], *size)), budget=budget)
        if folder is not None:
            check_disk(found.disk_bytes, folder)
        return Enlarging(volume, found, engines, self.self_ensemble, folder)

    def to_spacing(
        self,
        volume: Volume,
        spacing: Sequence[float],
        *,
        slice_axis: int | None = None,
        memory: int | None = None,
        report: Report | None = None,
        notice: Notice | None = None,
    ) -> Volume:
        """Return the volume at a spacing in mm: enlarged by stages, then resampled by cubic interpolation.

        The first voxel edges stay where they are; where the spacing does not divide the field of view, the last ones
        move by half a voxel at most. A consistent result is made so before it is resampled.

        Raises:
            VolumeError: as in `enlarge`.
        """
        factors = self.factors_for(volume, spacing)
        enlarged = self._collected(volume, factors, slice_axis, memory, report, notice, RESAMPLING_COPIES)
        voxels, steps = enlarged.voxels, np.divide(spacing, enlarged.spacing)
        for axis, step in enumerate(steps):
            if abs(step - 1) > SAME_SPACING:
                voxels = resample_axis(voxels, axis, max(1, round(voxels.shape[axis] / step)), float(step))
        return enlarged.with_voxels(voxels, rescaled_affine(enlarged.affine, list(steps)))

    def collecting(
        self, volume: Volume, factors: Factors, slice_axis: int | None, memory: int | None, copies: int
    ) -> Enlarging:
        """Return the job of one who keeps the whole result, float32, and makes `copies` of it; see `enlarging`."""
        size = np.dtype(np.float32).itemsize
        residuals = -(-CONSISTENCY_COPIES * size // prod(factors)) if self.data_consistency else 0
        kept = OutputBuffer(copies * size + residuals)
        return self.enlarging(volume, factors, slice_axis=slice_axis, memory=memory, kept=kept)

    def _collected(
        self,
        volume: Volume,
        factors: Factors,
        slice_axis: int | None,
        memory: int | None,
        report: Report | None,
        notice: Notice | None,
        copies: int,
    ) -> Volume:
        """Return the enlarged volume as a whole; `copies` of it have to fit into the memory."""
        job = self.collecting(volume, factors, slice_axis, memory, copies)
        result = MemorySlabBuffer(job.plan.shape, slice_order(job.plan.slab_axis))
        for span, slab in job.slabs(report):
            result.write(job.plan.slab_axis, span, slab)
        voxels = result.read(0, slice(None))
        if self.data_consistency and job.plan.passes and volume.voxels.min() != volume.voxels.max():
            projection = back_project(voxels, volume.voxels, factors)
            if notice:
                notice(projection.describe("HU" if volume.modality == "CT" else ""))
        return volume.with_voxels(voxels, rescaled_affine(volume.affine, [1 / factor for factor in factors]))

    def _engine(self, step: Step) -> Engine:
        return next(
            engine for engine in self.engines if (engine.card.stage, engine.card.scale) == (step.stage, step.scale)
        )

    def _check_reach(self, volume: Volume, steps: Sequence[Step]) -> None:
        """Refuse slices in which a network would see more border than scan."""
        for step in steps:
            reach = max(self._engine(step).card.receptive_field_radius)
            in_slices = range(3) if step.stage == "d" else step.axes
            shortest = min(volume.shape[axis] for axis in in_slices)
            if shortest < reach:
                raise VolumeError(
                    f"{volume.source}: an axis must have at least {reach} voxels, the reach of the network of "
                    f"{step.label}. Received: {format_shape(volume.shape)}. Leave that axis out with a factor of 1, "
                    "as in --scale 2x2x1, or use a larger scan."
                )


def _unknown(*_: object) -> Timing:
    """Price slices before anything is known of them."""
    return Timing(1, 0.0)
