"""One scan in, one super-resolved scan out: read, prepared, run, and written as a whole."""

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from sr_keras.dicom.provenance import Processing
from sr_keras.errors import ConfigurationError, OutputError
from sr_keras.files import write_errors
from sr_keras.inference.carried import check_gradients
from sr_keras.inference.conditions import condition_records
from sr_keras.inference.labels import LabelPair, check_pairs, read_labels, write_labels
from sr_keras.inference.maps import Maps, RunningMaps
from sr_keras.inference.originals import check_originals
from sr_keras.inference.outcomes import Outcome, facts_of, log_line
from sr_keras.inference.output_grid import Grid, Scale
from sr_keras.inference.prepared import PreparedJob, WarningCallback
from sr_keras.inference.provenance import check_sidecar, models_of, runtime_of, scan_sha256
from sr_keras.inference.publication import Publication
from sr_keras.inference.slab_files import write_slabs
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.image_names import UNCOMPRESSED, has_suffix, is_image
from sr_keras.io.nifti import holds_series, is_streamed, stored_dtype
from sr_keras.io.scans import (
    Choice,
    check_scan_output,
    check_writable,
    count_volumes,
    read_scan,
    read_time_series,
    scan_grid,
    with_nifti_header,
    write_scan,
)
from sr_keras.progress import ProgressCallback
from sr_keras.resources import check_room
from sr_keras.volumes.label_resampling import LabelInterpolation
from sr_keras.volumes.volume import Modality, Volume

LOG = logging.getLogger("sr_keras")


@dataclass(frozen=True)
class PredictionJob:
    """What to do with each scan.

    Attributes:
        upscaler: the stages and how to apply them.
        factors: by which to upsample along i, j, k: numbers from 1 to 8.
        spacing: to reach instead, in mm along i, j, k.
        isotropic: whether to reach the finest spacing of the scan along each axis instead.
        like: an image whose grid the result gets instead.
        slice_axis: the through-plane axis, 0, 1 or 2; None takes the axis with the largest spacing, else the third.
        dtype: type on disk; None keeps the scan's.
        modality: of the scans; None infers it from their values.
        vouched: whether who gives the modality knows that they are scans; each is looked at otherwise.
        nan_fill: the value for voxels that are NaN or infinite; None refuses them.
        force: whether outputs that exist are overwritten.
        choice: which volume of a DICOM folder or a time series; None takes the only one, or all of a time series.
        memory: bytes that this process may take in all; None takes most of what is free.
        labels: segmentations of the scan that are resampled onto the grid of its result.
        label_interpolation: "majority" or "nearest".
        maps: that are written beside the result.
    """

    upscaler: Upscaler
    factors: Scale = (2, 2, 2)
    spacing: tuple[float, float, float] | None = None
    isotropic: bool = False
    like: Path | None = None
    slice_axis: int | None = None
    dtype: str | None = None
    modality: Modality | None = None
    vouched: bool = True
    nan_fill: float | None = None
    force: bool = False
    choice: Choice | None = None
    memory: int | None = None
    labels: tuple[LabelPair, ...] = ()
    label_interpolation: LabelInterpolation = "majority"
    maps: Maps = field(default_factory=Maps)

    def run(
        self,
        scan: str | PathLike[str],
        output: str | PathLike[str],
        progress: ProgressCallback | None = None,
        warn: WarningCallback | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> str:
        """Super-resolve one scan and return what was written, in a few words.

        Args:
            scan: an image file or a DICOM series. All volumes of a time series are done, unless one is chosen.
            output: what to write; beside an image file its sidecar, a `.json` of the same name, says how it was made.
            progress: called with the progress.
            warn: called, at the end, with each warning about the result, which is recorded too.
            record: fields that an image file's sidecar has besides, or instead of, its own.

        Raises:
            SrKerasError: the scan, the scale or the output cannot be used. Nothing is written then.
        """
        outcome = self.process(scan, output, progress, record)
        if warn:
            for warning in outcome.warnings:
                warn(warning)
        return outcome.summary

    def process(
        self,
        scan: str | PathLike[str],
        output: str | PathLike[str],
        progress: ProgressCallback | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Super-resolve one scan as `run` does, and return all that is known about the result."""
        scan, output, start = Path(scan), Path(output), time.monotonic()
        self.check_output(scan, output)
        with ExitStack() as stack:
            publication = Publication(output, force=self.force)
            place = publication.reserve(output, stack)
            places = [publication.reserve(pair.output, stack) for pair in self.labels]
            map_places = {path: publication.reserve(path, stack) / path.name for path in self.maps.outputs}
            volumes = stack.enter_context(closing(self._volumes(scan, output)))
            job = self._prepared(next(volumes), scan, output)
            labels = [read_labels(pair, job.volume) for pair in self.labels]
            job = self.upscaler.adapted(job, memory=self.memory, progress=progress)
            LOG.info("%s", log_line(job))
            warnings = list(job.warnings)
            maps = RunningMaps(job, self.maps, map_places) if map_places else None
            with write_errors(output):
                self._write(job, scan, volumes, place / output.name, progress, warnings, maps)
                for pair, segmentation, folder in zip(self.labels, labels, places, strict=True):
                    write_labels(segmentation, job.grid, folder / pair.output.name, self.label_interpolation)
                seconds = time.monotonic() - start
                for pair in self.labels:
                    how = f"{self.label_interpolation} interpolation onto the grid of {output.name}"
                    publication.add_labels(pair, scan, job, self.request, how, seconds)
                for path, said in maps.records().items() if maps else ():
                    publication.add_map(path, scan, job, self.request, said, seconds)
                publication.publish(scan, job, self.request, warnings, seconds, record)
        LOG.info("%s: %.1f s", output, time.monotonic() - start)
        return Outcome(output, _summary(job), tuple(warnings), time.monotonic() - start, facts_of(job))

    def check_output(self, scan: str | PathLike[str], output: str | PathLike[str]) -> None:
        """Refuse an output before any work is done for it.

        Args:
            scan: as in `run`.
            output: as in `run`.

        Raises:
            SrKerasError: as in `run`.
        """
        scan, output = Path(scan), Path(output)
        check_scan_output(scan, output, self.dtype, force=self.force)
        read = [scan, *([self.like] if self.like else []), *(pair.source for pair in self.labels)]
        check_originals(read, [output, *(pair.output for pair in self.labels), *self.maps.outputs])
        if is_image(output):
            check_sidecar(output, force=self.force)
            check_gradients(scan, output, force=self.force)
        elif self.like is not None:
            raise ConfigurationError("--like is for image files, a DICOM series covers its scan; write a .nii.gz.")
        check_pairs(self.labels, output, force=self.force)
        self.maps.check(output, data_consistency=self.upscaler.data_consistency, force=self.force)

    def prepare(self, scan: str | PathLike[str], output: str | PathLike[str]) -> PreparedJob:
        """Return what super-resolving one scan will do and take. Nothing is written.

        Args:
            scan: as in `run`.
            output: as in `run`.

        Raises:
            SrKerasError: as in `run`.
        """
        scan, output = Path(scan), Path(output)
        with closing(self._volumes(scan, output)) as volumes:
            return self._prepared(next(volumes), scan, output)

    @property
    def request(self) -> Mapping[str, Any]:
        """All that decides what a scan becomes, as JSON can hold it: two runs with one request make one result."""
        choice, like = self.choice or Choice(), self._like()
        by_scale = not (self.spacing or self.isotropic or like)
        return {
            "factors": list(self.factors) if by_scale else None,
            "spacing_mm": list(self.spacing) if self.spacing else None,
            "isotropic": self.isotropic or None,
            "like": {"shape": list(like.shape), "affine": like.affine.round(6).tolist()} if like else None,
            "slice_axis": self.slice_axis,
            "self_ensemble": self.upscaler.self_ensemble,
            "data_consistency": self.upscaler.data_consistency,
            **self.upscaler.conditions.request,
            "dtype": self.dtype,
            "modality": self.modality,
            "nan_fill": self.nan_fill,
            "series": choice.series,
            "frame_group": choice.frame_group,
            "volume": choice.volume,
            "adapt": self.upscaler.adapter.request if self.upscaler.adapter else None,
            "models": models_of(engine.card for engine in self.upscaler.engines),
        }

    def _like(self) -> Grid | None:
        return Grid(*scan_grid(self.like), name=self.like.name) if self.like else None

    def _volumes(self, scan: Path, output: Path) -> Generator[Volume]:
        """Yield the volumes of a scan that are done: one, or all of a time series, each checked against the output."""
        count = count_volumes(scan, self.choice)
        if count > 1 and not holds_series(output):
            raise OutputError(f"{scan} holds {count} volumes, {output.name} one; choose --volume, or write a .nii.gz.")
        how: Any = {"modality": self.modality, "nan_fill": self.nan_fill, "vouched": self.vouched}
        one = iter([read_scan(scan, choice=self.choice, **how)]) if count == 1 else None
        for volume in one or read_time_series(scan, **how):
            check_writable(volume, output, self.dtype)
            yield volume

    def _prepared(self, volume: Volume, scan: Path, output: Path) -> PreparedJob:
        count = count_volumes(scan, self.choice)
        self.maps.check_count(volume.source, count)
        stored = with_nifti_header(volume) if not is_image(output) or holds_series(output) else volume
        itemsize = stored_dtype(stored, self.dtype, output).itemsize
        job = self.upscaler.prepare(
            volume,
            self.factors,
            spacing=(min(volume.spacing),) * 3 if self.isotropic else self.spacing,
            like=self._like(),
            slice_axis=self.slice_axis,
            memory=self.memory,
            stored_bytes=itemsize,
            stream=is_streamed(output),
            folder=output.parent,
        )
        if has_suffix(output, UNCOMPRESSED):
            check_room(output, count * prod(job.grid.shape) * itemsize)
        return replace(job, count=count)

    def _write(
        self,
        job: PreparedJob,
        scan: Path,
        others: Iterator[Volume],
        path: Path,
        progress: ProgressCallback | None,
        warnings: list[str],
        maps: RunningMaps | None,
    ) -> None:
        if job.streams or job.count > 1:
            write_slabs(job, others, path, self.dtype, progress, warnings, maps)
            return
        result = maps.collect(progress) if maps else job.collect(progress, warnings.append)
        if not is_image(path):
            path.mkdir()
        processing = self._processing(job, warnings, {} if is_image(path) else self._origin(job, scan, warnings))
        write_scan(result, path, like=job.volume, dtype=self.dtype, processing=processing)

    def _origin(self, job: PreparedJob, scan: Path, warnings: list[str]) -> Mapping[str, Any]:
        return {
            "input_sha256": scan_sha256(scan),
            "request": self.request,
            "told": condition_records(job.engines),
            "steps": [step.label for step in job.steps],
            "warnings": list(warnings),
        }

    def _processing(self, job: PreparedJob, warnings: list[str], origin: Mapping[str, Any]) -> Processing:
        """Return what was done to a scan, for the records of a DICOM series."""
        return Processing(
            models_of(job.cards),
            runtime_of(job.engines.values()),
            {
                "factors": list(job.grid.factors),
                "spacing_mm": list(self.spacing) if self.spacing else None,
                "slice_axis": job.slice_axis,
                "self_ensemble": job.self_ensemble,
                "data_consistency": job.data_consistency,
                "nan_fill": self.nan_fill,
                **({"adaptation": job.adaptation.record} if job.adaptation else {}),
                "warnings": list(warnings),
            },
            origin,
        )


def _summary(job: PreparedJob) -> str:
    """Return what a result is, and what adapting a stage to its scan gained."""
    adaptation = job.adaptation
    return f"{job.summary}, {adaptation.line}" if adaptation and adaptation.gained else job.summary
