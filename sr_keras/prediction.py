"""Enlarge a volume with trained stages; geometry and intensities are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sr_keras.consistency import make_consistent
from sr_keras.engines import Engine, Images, fitted
from sr_keras.errors import VolumeError
from sr_keras.files import check_memory
from sr_keras.geometry import rescaled_affine, through_plane_axis
from sr_keras.intensity import normalization_of
from sr_keras.passes import Ensemble, Report, run_step
from sr_keras.planning import Factors, Step, enlarged_shape, factors_for_spacing, plan_steps
from sr_keras.resampling import resample_axis
from sr_keras.volume import Volume, format_shape

# Float32 copies of the enlarged volume that exist at once at most: normalised, in real units, and what is stored.
PEAK_COPIES = 3
# A last resampling that changes the spacing by less than this fraction would only smooth.
SAME_SPACING = 1e-6

# Called with a sentence about the result that its user should read.
Notice = Callable[[str], None]


@dataclass(frozen=True)
class Upscaler:
    """Trained stages and how to apply them.

    Attributes:
        engines: the stages at hand, one for each stage and scale.
        ensemble: "mean" or "median" does each slice turned and mirrored as well and joins the results.
        consistent: whether the result is changed, as little as possible, so that it gives the scan when reduced again.
    """

    engines: Sequence[Engine]
    ensemble: Ensemble = "none"
    consistent: bool = False

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
        report: Report | None = None,
        notice: Notice | None = None,
    ) -> Volume:
        """Return the volume with each axis enlarged by a whole factor.

        Args:
            volume: the scan.
            factors: along i, j, k.
            slice_axis: the through-plane axis; None takes the axis with the largest spacing, else the third.
            report: told about progress.
            notice: told how far from the scan the result was, reduced again, where it is made consistent.

        Returns:
            A float32 volume in the scan's own units whose voxel edges enclose the same box.

        Raises:
            ConfigurationError: no stage makes these factors.
            VolumeError: an axis is too short for a network, or the result does not fit into memory.
        """
        axis = through_plane_axis(volume.spacing) if slice_axis is None else slice_axis
        steps, shape = self.plan(factors, axis), enlarged_shape(volume.shape, factors)
        check_memory(PEAK_COPIES * 4 * int(np.prod(shape)), f"Enlarging {volume.source} to {format_shape(shape)}")
        self._check_reach(volume, steps)
        affine = rescaled_affine(volume.affine, [1 / factor for factor in factors])
        if volume.voxels.min() == volume.voxels.max():
            return volume.with_voxels(np.full(shape, volume.voxels.flat[0], np.float32), affine)
        normalization = normalization_of(volume)
        voxels = normalization.invert(self._enlarged(normalization.apply(volume.voxels), steps, report))
        if self.consistent and steps:
            projection = make_consistent(voxels, volume.voxels, factors)
            if notice:
                notice(projection.describe("HU" if volume.modality == "CT" else ""))
        return volume.with_voxels(voxels, affine)

    def to_spacing(
        self,
        volume: Volume,
        spacing: Sequence[float],
        *,
        slice_axis: int | None = None,
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
        enlarged = self.enlarge(volume, factors, slice_axis=slice_axis, report=report, notice=notice)
        voxels, steps = enlarged.voxels, np.divide(spacing, enlarged.spacing)
        for axis, step in enumerate(steps):
            if abs(step - 1) > SAME_SPACING:
                voxels = resample_axis(voxels, axis, max(1, round(voxels.shape[axis] / step)), float(step))
        return enlarged.with_voxels(voxels, rescaled_affine(enlarged.affine, list(steps)))

    def _enlarged(self, voxels: Images, steps: Sequence[Step], report: Report | None) -> Images:
        """Return normalised voxels after all passes.

        The networks know nothing darker than the floor of the scale. What lies below it, such as the padding around a
        CT's field of view, goes around them.
        """
        below = np.minimum(voxels, 0)
        enlarged = np.maximum(voxels, 0)
        for step in steps:
            enlarged = run_step(enlarged, step, fitted(self._engine(step)), self.ensemble, report)
        return enlarged + _repeated(below, enlarged.shape) if below.any() else enlarged

    def _engine(self, step: Step) -> Engine:
        return next(
            engine for engine in self.engines if (engine.card.stage, engine.card.scale) == (step.stage, step.scale)
        )

    def _check_reach(self, volume: Volume, steps: Sequence[Step]) -> None:
        """Refuse slices in which a network would see more border than scan."""
        for step in steps:
            reach = max(self._engine(step).card.reach)
            in_slices = range(3) if step.stage == "d" else step.axes
            shortest = min(volume.shape[axis] for axis in in_slices)
            if shortest < reach:
                raise VolumeError(
                    f"{volume.source}: an axis must have at least {reach} voxels, the reach of the network of "
                    f"{step.label}. Received: {format_shape(volume.shape)}. Leave that axis out with a factor of 1, "
                    "as in --scale 2x2x1, or use a larger scan."
                )


def _repeated(voxels: Images, shape: Sequence[int]) -> Images:
    for axis, length in enumerate(shape):
        voxels = voxels.repeat(length // voxels.shape[axis], axis)
    return voxels
