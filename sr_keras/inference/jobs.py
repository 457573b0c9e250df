"""One scan in, one super-resolved scan out: read, prepared, run, and written as a whole."""

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.dicom.provenance import Processing
from sr_keras.dicom.writing import publish_series
from sr_keras.files import check_distinct, publish, reserved, write_errors
from sr_keras.inference.planning import SLOWEST_AXIS, Factors
from sr_keras.inference.prefetch import background_writer
from sr_keras.inference.prepared import PreparedJob, WarningCallback
from sr_keras.inference.provenance import (
    check_sidecar,
    models_of,
    runtime_of,
    scan_sha256,
    sidecar_path,
    sidecar_text,
)
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import is_nifti, open_stream, stored_dtype
from sr_keras.io.scans import Choice, check_scan_output, check_writable, read_scan, with_nifti_header, write_scan
from sr_keras.progress import ProgressCallback
from sr_keras.volumes.slab_buffers import SlabBuffer, make_slab_buffer
from sr_keras.volumes.volume import Modality


@dataclass(frozen=True)
class PredictionJob:
    """What to do with each scan.

    Attributes:
        upscaler: the stages and how to apply them.
        factors: by which to upsample along i, j, k.
        spacing: to reach instead, in mm along i, j, k.
        slice_axis: the through-plane axis, 0, 1 or 2; None takes the axis with the largest spacing, else the third.
        dtype: type on disk; None keeps the scan's.
        modality: of the scans; None infers it from their values.
        nan_fill: the value for voxels that are NaN or infinite; None refuses them.
        force: whether outputs that exist are overwritten.
        choice: which volume of a DICOM folder; None takes the only one.
        memory: bytes that this process may take in all; None takes most of what is free.
    """

    upscaler: Upscaler
    factors: Factors = (2, 2, 2)
    spacing: tuple[float, float, float] | None = None
    slice_axis: int | None = None
    dtype: str | None = None
    modality: Modality | None = None
    nan_fill: float | None = None
    force: bool = False
    choice: Choice | None = None
    memory: int | None = None

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
            scan: a NIfTI file or a DICOM series.
            output: what to write; beside a NIfTI file its sidecar, a `.json` of the same name, says how it was made.
            progress: called with the progress.
            warn: called, at the end, with each warning about the result, which is recorded too.
            record: fields that a NIfTI file's sidecar has besides, or instead of, its own.

        Raises:
            SrKerasError: the scan, the scale or the output cannot be used. Nothing is written then.
        """
        scan, output, start = Path(scan), Path(output), time.monotonic()
        self.check_output(scan, output)
        with reserved(output) as place:
            job = self.prepare(scan, output)
            warnings = list(job.warnings)
            with write_errors(output):
                if job.streams:
                    self._stream(job, place / output.name, progress)
                else:
                    self._collect(job, scan, place / output.name, progress, warnings)
                if is_nifti(output):
                    seconds = time.monotonic() - start
                    text = sidecar_text(scan, job, self.request, warnings, seconds, place, record or {})
                    self._publish_nifti(place, output, text)
                else:
                    publish_series(place / output.name, output)
        if warn:
            for warning in warnings:
                warn(warning)
        return job.summary

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
        check_distinct(scan, output)
        if is_nifti(output):
            check_sidecar(output, force=self.force)

    def prepare(self, scan: str | PathLike[str], output: str | PathLike[str]) -> PreparedJob:
        """Return what super-resolving one scan will do and take. Nothing is written.

        Args:
            scan: as in `run`.
            output: as in `run`.

        Raises:
            SrKerasError: as in `run`.
        """
        scan, output = Path(scan), Path(output)
        volume = read_scan(scan, modality=self.modality, nan_fill=self.nan_fill, choice=self.choice)
        check_writable(volume, output, self.dtype)
        return self.upscaler.prepare(
            volume,
            self.factors,
            spacing=self.spacing,
            slice_axis=self.slice_axis,
            memory=self.memory,
            stored_bytes=stored_dtype(with_nifti_header(volume), self.dtype).itemsize,
            stream=is_nifti(output),
            folder=output.parent,
        )

    @property
    def request(self) -> Mapping[str, Any]:
        """All that decides what a scan becomes, as JSON can hold it: two runs with one request make one result."""
        choice = self.choice or Choice()
        return {
            "factors": None if self.spacing else list(self.factors),
            "spacing_mm": list(self.spacing) if self.spacing else None,
            "slice_axis": self.slice_axis,
            "self_ensemble": self.upscaler.self_ensemble,
            "data_consistency": self.upscaler.data_consistency,
            "dtype": self.dtype,
            "modality": self.modality,
            "nan_fill": self.nan_fill,
            "series": choice.series,
            "frame_group": choice.frame_group,
            "models": models_of(engine.card for engine in self.upscaler.engines),
        }

    def _stream(self, job: PreparedJob, path: Path, progress: ProgressCallback | None) -> None:
        like, grid, axis = with_nifti_header(job.volume), job.grid, job.plan.slab_axis
        with ExitStack() as stack:
            buffer = _slab_buffer(job, stored_dtype(like, self.dtype))
            if buffer is not None:
                stack.callback(buffer.close)
            file = open_stream(path, grid.shape, grid.affine, like=like, dtype=self.dtype, store=buffer)
            write = stack.enter_context(background_writer(stack.enter_context(file).write))
            for span, slab in stack.enter_context(closing(job.slabs(progress))):
                write(axis, span, slab)

    def _collect(
        self, job: PreparedJob, scan: Path, path: Path, progress: ProgressCallback | None, warnings: list[str]
    ) -> None:
        result = job.collect(progress, warnings.append)
        if not is_nifti(path):
            path.mkdir()
        processing = self._processing(job, warnings, {} if is_nifti(path) else self._origin(scan, warnings))
        write_scan(result, path, like=job.volume, dtype=self.dtype, processing=processing)

    def _publish_nifti(self, place: Path, output: Path, sidecar: str) -> None:
        """Move the file and its sidecar, so that after a kill between the two a rerun does not trust the file."""
        temporary, target = place / sidecar_path(output).name, sidecar_path(output)
        temporary.write_text(sidecar)
        if output.exists():
            publish(place / output.name, output, force=self.force)
            publish(temporary, target, force=True)
        else:
            publish(temporary, target, force=True)
            publish(place / output.name, output, force=self.force)

    def _origin(self, scan: Path, warnings: list[str]) -> Mapping[str, Any]:
        return {"input_sha256": scan_sha256(scan), "request": self.request, "warnings": list(warnings)}

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
                "warnings": list(warnings),
            },
            origin,
        )


def _slab_buffer(job: PreparedJob, dtype: np.dtype[Any]) -> SlabBuffer | None:
    """Return what holds slabs until they can be written in the order of the file; None where they come in it."""
    plan = job.plan
    if plan.output_buffer == "nowhere":
        return None
    # Slabs of the slowest axis of the file are read from it.
    layout = list(dict.fromkeys([plan.slab_axis, SLOWEST_AXIS, 1, 0]))
    return make_slab_buffer(plan.shape, layout, job.folder if plan.output_buffer == "disk" else None, dtype)
