"""A job worked out: what to super-resolve, onto which grid, by which engines, and within which plan."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sr_keras.engines import Engine, Images
from sr_keras.inference.adapter import Adaptation
from sr_keras.inference.back_projection import back_project
from sr_keras.inference.budget import Plan
from sr_keras.inference.output_grid import OutputGrid
from sr_keras.inference.passes import slice_order
from sr_keras.inference.planning import Step
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.inference.spectrum import high_frequency_warnings
from sr_keras.inference.streaming import stream_slabs
from sr_keras.models.registry import modality_warning
from sr_keras.models.stages import StageCard
from sr_keras.progress import ProgressCallback
from sr_keras.volumes.resampling import resample_axis
from sr_keras.volumes.slab_buffers import MemorySlabBuffer
from sr_keras.volumes.volume import Array, Volume, describe

FLOAT_BYTES = np.dtype(np.float32).itemsize
# Fields of view that differ by less are one, rounded: in mm.
FIELD_OF_VIEW_TOLERANCE = 0.01

# Called with a sentence about the result that its user should read.
WarningCallback = Callable[[str], None]


@dataclass(frozen=True)
class PreparedJob:
    """Everything that is decided about a job before it runs; `Upscaler.prepare` makes it once, all else reads it.

    Attributes:
        volume: the scan.
        grid: of the result.
        slice_axis: the through-plane axis of the scan: 0, 1 or 2.
        plan: passes, batches, memory, disk and time.
        engines: that run each step.
        self_ensemble: whether slices also run rotated and mirrored, and how the results are joined.
        data_consistency: whether back-projection makes the downsampled result equal to the scan.
        streams: whether slabs can be written as they come; otherwise the result is made as a whole.
        folder: for temporary files; None where there are none.
        stored_bytes: bytes a voxel of the result where it is written.
        adaptation: of a stage to the scan; None where there was none.
    """

    volume: Volume
    grid: OutputGrid
    slice_axis: int
    plan: Plan
    engines: Mapping[Step, Engine]
    self_ensemble: SelfEnsemble = "none"
    data_consistency: bool = False
    streams: bool = False
    folder: Path | None = None
    stored_bytes: int = FLOAT_BYTES
    adaptation: Adaptation | None = None

    @property
    def steps(self) -> list[Step]:
        """The passes of the stages, in their order."""
        return [each.step for each in self.plan.passes]

    @property
    def cards(self) -> list[StageCard]:
        """The cards of the stages that run, each once."""
        return list({id(engine): engine.card for engine in self.engines.values()}.values())

    @property
    def summary(self) -> str:
        """Shape, spacing and modality of the result in a few words, and the field of view where it changes."""
        text = describe(self.grid.shape, self.grid.spacing, self.volume.modality)
        boxes = (np.multiply(volume.shape, volume.spacing) for volume in (self.volume, self.grid))
        changes = [
            f"{new:g} instead of {old:g} mm along {'ijk'[axis]}"
            for axis, (old, new) in enumerate(zip(*boxes, strict=True))
            if abs(new - old) > FIELD_OF_VIEW_TOLERANCE
        ]
        return f"{text}, field of view {', '.join(changes)}" if changes else text

    @cached_property
    def warnings(self) -> list[str]:
        """What speaks against the stages for this scan, a sentence each."""
        untrained = modality_warning(self.volume, self.cards)
        unchanged = [f"{self.adaptation.line}."] if self.adaptation and not self.adaptation.gained else []
        return [*([untrained] if untrained else []), *unchanged, *high_frequency_warnings(self.volume, self.steps)]

    def slabs(self, progress: ProgressCallback | None = None) -> Generator[tuple[slice, Images]]:
        """Yield the upsampled volume along the plan's slab axis, in order.

        Args:
            progress: called with the progress.

        Yields:
            A span of the axis, and the voxels there, (i, j, k), float32, in the scan's own units.
        """
        return stream_slabs(self.volume, self.plan, self.engines, self.self_ensemble, self.folder, progress)

    def collect(self, progress: ProgressCallback | None = None, warn: WarningCallback | None = None) -> Volume:
        """Return the result as a whole.

        Args:
            progress: called with the progress.
            warn: called with what back-projection changed.
        """
        axis = self.plan.slab_axis
        result = MemorySlabBuffer(self.plan.shape, slice_order(axis))
        for span, slab in self.slabs(progress):
            result.write(axis, span, slab)
        voxels = result.read(0, slice(None))
        del result
        if self.data_consistency and self.plan.passes and not self.volume.is_constant:
            projection = back_project(voxels, self.volume.voxels, self.grid.factors)
            if warn:
                warn(projection.describe("HU" if self.volume.modality == "CT" else ""))
        return self.volume.with_voxels(self._resampled(voxels), self.grid.affine)

    def _resampled(self, voxels: Array) -> Array:
        for axis, step in enumerate(self.grid.resampling_steps):
            if step != 1:
                voxels = resample_axis(voxels, axis, self.grid.shape[axis], step)
        return np.asarray(voxels)
