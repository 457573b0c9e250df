"""A job worked out: what to super-resolve, onto which grid, by which engines, and within which plan."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import tee
from pathlib import Path

import numpy as np

from sr_keras.engines import Engine, Images
from sr_keras.inference.adapter import Adaptation
from sr_keras.inference.back_projection import back_project
from sr_keras.inference.budget import Plan
from sr_keras.inference.conditions import condition_warnings
from sr_keras.inference.output_grid import OutputGrid
from sr_keras.inference.passes import slice_order
from sr_keras.inference.planning import Step
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.inference.spectrum import high_frequency_warnings
from sr_keras.inference.streaming import stream_slabs
from sr_keras.io.nifti_header import orientation_warning
from sr_keras.models.cards import StageCard
from sr_keras.models.registry import modality_warning
from sr_keras.progress import ProgressCallback
from sr_keras.uncertainty.estimator import Estimator
from sr_keras.volumes.regridding import SLICES, Regridding
from sr_keras.volumes.slab_buffers import MemorySlabBuffer, spans
from sr_keras.volumes.volume import Array, Volume, describe

FLOAT_BYTES = np.dtype(np.float32).itemsize
# Called with a sentence about the result that its user should read.
WarningCallback = Callable[[str], None]
# Called with a span of the upsampled volume, the voxels there and their half-widths.
LookCallback = Callable[[slice, Images, Images | None], None]


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
        count: of volumes that are done alike, of a time series.
        adaptation: of a stage to the scan; None where there was none.
        estimators: of the uncertainty of each step; empty where none is asked for.
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
    count: int = 1
    adaptation: Adaptation | None = None
    estimators: Mapping[Step, Estimator] = field(default_factory=dict)

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
        """Shape, spacing and modality of the result in a few words, and what its grid does to the field of view."""
        shape = self.grid.shape if self.count == 1 else (*self.grid.shape, self.count)
        text = describe(shape, self.grid.spacing, self.volume.modality)
        return f"{text}, {self.grid.note}" if self.grid.note else text

    @cached_property
    def warnings(self) -> list[str]:
        """What speaks against the stages for this scan, a sentence each."""
        told = (orientation_warning(self.volume), modality_warning(self.volume, self.cards))
        unchanged = [f"{self.adaptation.line}."] if self.adaptation and not self.adaptation.gained else []
        # Conditional stages are told what a scan is like, adapted ones learned it; others are good at one kind only.
        adapted = self.adaptation.step if self.adaptation and self.adaptation.gained else None
        unconditional = [step for step in self.steps if step != adapted and not self.engines[step].card.description]
        return [
            *filter(None, told),
            *unchanged,
            *high_frequency_warnings(self.volume, unconditional),
            *condition_warnings(self.engines, estimated=bool(self.estimators)),
        ]

    def slabs(self, progress: ProgressCallback | None = None) -> Generator[tuple[slice, Images]]:
        """Yield the upsampled volume along the plan's slab axis, in order.

        Args:
            progress: called with the progress.

        Yields:
            A span of the axis, and the voxels there, (i, j, k), float32, in the scan's own units.
        """
        with closing(self._run(progress, {})) as slabs:
            for span, slab, _ in slabs:
                yield span, slab

    def result_slabs(self, progress: ProgressCallback | None = None) -> Generator[tuple[int, slice, Images]]:
        """Yield the result slab by slab: the upsampled volume, resampled onto the result's grid where that is another.

        Args:
            progress: called with the progress.

        Yields:
            An axis of the result, a span of it, and the voxels there, (i, j, k), float32, in the scan's own units.
        """
        with closing(self.slabs(progress)) as slabs:
            yield from self._on_grid(slabs, self.grid.regridding)

    def estimated_slabs(
        self, progress: ProgressCallback | None = None, look: LookCallback | None = None
    ) -> Generator[tuple[int, slice, Images, Images | None]]:
        """Yield the result as `result_slabs` does, and after the voxels the half-widths of intervals around them.

        Args:
            progress: called with the progress.
            look: called with spans of the upsampled volume and the voxels there, as `slabs` yields them, and their
                half-widths.

        Yields:
            As `result_slabs`, and half-widths, (i, j, k), float32, in the scan's own units; None without estimators.
        """
        with closing(self._run(progress, self.estimators)) as slabs:
            # What puts both onto the grid takes the same slabs in the same steps.
            voxels, widths = tee(slabs if look is None else _looked_at(slabs, look))
            results = self._on_grid(((span, slab) for span, slab, _ in voxels), self.grid.regridding)
            if self.estimators or self.volume.is_constant:
                half_widths = self._widths_on_grid((span, half) for span, _, half in widths if half is not None)
                yield from ((*one, other[2]) for one, other in zip(results, half_widths, strict=True))
            else:
                del widths
                yield from ((*each, None) for each in results)

    def collect_estimated(
        self, progress: ProgressCallback | None = None, look: LookCallback | None = None
    ) -> tuple[Volume, Volume | None]:
        """Return the result as a whole, and half-widths of intervals around its voxels, None without estimators.

        Args:
            progress: called with the progress.
            look: as in `estimated_slabs`.
        """
        order = slice_order(self.result_axis)
        buffers = [MemorySlabBuffer(self.grid.shape, order)]
        for along, span, *slabs in self.estimated_slabs(progress, look):
            made = [slab for slab in slabs if slab is not None]
            if len(buffers) < len(made):
                buffers.append(MemorySlabBuffer(self.grid.shape, order))
            for buffer, slab in zip(buffers, made, strict=True):
                buffer.write(along, span, slab)
        result, *estimated = (self.volume.with_voxels(each.read(0, slice(None)), self.grid.affine) for each in buffers)
        return result, estimated[0] if estimated else None

    def _run(
        self, progress: ProgressCallback | None, estimators: Mapping[Step, Engine]
    ) -> Generator[tuple[slice, Images, Images | None]]:
        run = (self.volume, self.plan, self.engines, self.self_ensemble, self.folder)
        return stream_slabs(*run, progress, estimators)

    def collect(self, progress: ProgressCallback | None = None, warn: WarningCallback | None = None) -> Volume:
        """Return the result as a whole.

        Args:
            progress: called with the progress.
            warn: called with what back-projection changed.
        """
        if self.data_consistency and self.plan.passes and not self.volume.is_constant:
            axis = self.plan.slab_axis
            voxels = _whole(self.plan.shape, axis, ((axis, *each) for each in self.slabs(progress)))
            projection = back_project(voxels, self.volume.voxels, self.grid.factors)
            if warn:
                warn(projection.describe("HU" if self.volume.modality == "CT" else ""))
            if self.grid.regridding is not None:
                parts = ((span, voxels[(slice(None),) * axis + (span,)]) for span in spans(voxels.shape[axis], SLICES))
                voxels = _whole(self.grid.shape, self.result_axis, self._on_grid(parts, self.grid.regridding))
        else:
            voxels = _whole(self.grid.shape, self.result_axis, self.result_slabs(progress))
        return self.volume.with_voxels(voxels, self.grid.affine)

    @property
    def result_axis(self) -> int:
        """The axis of the result that `result_slabs` yields spans of."""
        return self.grid.result_axis(self.plan.slab_axis)

    def _widths_on_grid(self, slabs: Iterable[tuple[slice, Images]]) -> Iterator[tuple[int, slice, Images]]:
        """Put half-widths onto the grid of the result: zero beyond the scan and where interpolation undershoots."""
        regridding = self.grid.regridding
        if regridding is None:
            yield from self._on_grid(slabs, None)
            return
        if regridding.fill is not None:
            regridding = replace(regridding, fill=0.0)
        for axis, span, slab in self._on_grid(slabs, regridding):
            yield axis, span, np.maximum(slab, np.float32(0.0))

    def _on_grid(
        self, slabs: Iterable[tuple[slice, Images]], regridding: Regridding | None
    ) -> Iterator[tuple[int, slice, Images]]:
        axis = self.plan.slab_axis
        if regridding is not None:
            yield from regridding.slabs(slabs, axis)
            return
        for span, slab in slabs:
            yield axis, span, slab


def _looked_at(
    slabs: Iterable[tuple[slice, Images, Images | None]], look: LookCallback
) -> Iterator[tuple[slice, Images, Images | None]]:
    """Yield slabs, each after it was looked at."""
    for each in slabs:
        look(*each)
        yield each


def _whole(shape: tuple[int, int, int], axis: int, slabs: Iterable[tuple[int, slice, Images]]) -> Array:
    """Return a volume of slabs that are spans of one axis."""
    result = MemorySlabBuffer(shape, slice_order(axis))
    for along, span, slab in slabs:
        result.write(along, span, slab)
    return result.read(0, slice(None))
