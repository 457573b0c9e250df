"""Files in, files out: one scan or a folder of them, enlarged and written."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes

from sr_keras.dicom.provenance import Processing
from sr_keras.engines import Engine
from sr_keras.errors import OutputError, SrKerasError, VolumeError
from sr_keras.inference.budget import OutputBuffer, Plan, slab_axis_of
from sr_keras.inference.passes import Report
from sr_keras.inference.planning import Factors
from sr_keras.inference.prefetch import background_writer
from sr_keras.inference.spectrum import high_frequency_warnings
from sr_keras.inference.streaming import Enlarging
from sr_keras.inference.upscaler import RESAMPLING_COPIES, Notice, Upscaler
from sr_keras.io.nifti import is_nifti, open_stream, stored_dtype
from sr_keras.io.scans import (
    Choice,
    check_scan_output,
    check_writable,
    is_scan_folder,
    read_scan,
    with_nifti_header,
    write_scan,
)
from sr_keras.models.registry import modality_warning
from sr_keras.volumes.geometry import rescaled_affine, through_plane_axis
from sr_keras.volumes.slab_buffers import SlabBuffer, make_slab_buffer
from sr_keras.volumes.volume import Modality, Volume, describe

# Of a NIfTI file: slabs across it can be written as they come.
SLOWEST_AXIS = 2


@dataclass(frozen=True)
class PredictionJob:
    """What to do with each scan.

    Attributes:
        upscaler: the stages and how to apply them.
        factors: by which to enlarge along i, j, k.
        spacing: to reach instead, in mm along i, j, k.
        slice_axis: the through-plane axis; None takes the axis with the largest spacing, else the third.
        dtype: type on disk; None keeps the scan's.
        modality: of the scans; None tells it from their values.
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

    def run(self, scan: Path, output: Path, report: Report | None = None, notice: Notice | None = None) -> str:
        """Enlarge one scan and return what was written, in a few words.

        Args:
            scan: a NIfTI file or a DICOM series.
            output: what to write.
            report: told about progress.
            notice: told what the user should know about the result; a DICOM series records it too.

        Raises:
            SrKerasError: the scan, the scale or the output cannot be used. Nothing is written then.
        """
        volume = self._read(scan, output)
        notices: list[str] = []

        def tell(text: str) -> None:
            notices.append(text)
            if notice:
                notice(text)

        if self._streams(output):
            written = self._streamed(volume, output, report)
            self._tell_doubts(volume, tell)
            return written
        options: dict[str, Any] = {"slice_axis": self.slice_axis, "memory": self.memory}
        options |= {"report": report, "notice": tell}
        if self.spacing is not None:
            enlarged = self.upscaler.to_spacing(volume, self.spacing, **options)
        else:
            enlarged = self.upscaler.enlarge(volume, self.factors, **options)
        self._tell_doubts(volume, tell)
        write_scan(enlarged, output, like=volume, dtype=self.dtype, processing=self._processing(volume, notices))
        return enlarged.summary

    def plan(self, scan: Path, output: Path) -> Plan:
        """Return what enlarging one scan will do and take. Nothing is written.

        Raises:
            SrKerasError: as in `run`.
        """
        volume = self._read(scan, output)
        if self._streams(output):
            return self._enlarging(volume, output).plan
        factors, _ = self._task(volume)
        copies = RESAMPLING_COPIES if self.spacing else 1
        return self.upscaler.collecting(volume, factors, self.slice_axis, self.memory, copies).plan

    def _read(self, scan: Path, output: Path) -> Volume:
        check_scan_output(scan, output, self.dtype, force=self.force)
        volume = read_scan(scan, modality=self.modality, nan_fill=self.nan_fill, choice=self.choice)
        check_writable(volume, output, self.dtype)
        return volume

    def _streams(self, output: Path) -> bool:
        """Say whether the result can be written as it is made, or has to be there as a whole first."""
        return is_nifti(output) and self.spacing is None and not self.upscaler.data_consistency

    def _enlarging(self, volume: Volume, output: Path) -> Enlarging:
        _, axis = self._task(volume)
        in_order = slab_axis_of(self.upscaler.plan(self.factors, axis)) == SLOWEST_AXIS
        dtype = stored_dtype(with_nifti_header(volume), self.dtype)
        kept = OutputBuffer() if in_order else OutputBuffer(dtype.itemsize, on_disk=True)
        return self.upscaler.enlarging(
            volume, self.factors, slice_axis=axis, memory=self.memory, kept=kept, folder=output.parent
        )

    def _streamed(self, volume: Volume, output: Path, report: Report | None) -> str:
        like, job = with_nifti_header(volume), self._enlarging(volume, output)
        axis, shape = job.plan.slab_axis, job.plan.shape
        finer = rescaled_affine(volume.affine, [1 / factor for factor in self.factors])
        spacing = [float(size) for size in voxel_sizes(finer)]
        with ExitStack() as stack:
            store = _slab_buffer(job.plan, stored_dtype(like, self.dtype), output.parent)
            if store is not None:
                stack.callback(store.close)
            stream = stack.enter_context(open_stream(output, shape, finer, like=like, dtype=self.dtype, store=store))
            write = stack.enter_context(background_writer(stream.write))
            slabs = stack.enter_context(closing(job.slabs(report)))
            for span, slab in slabs:
                write(axis, span, slab)
        return describe(shape, spacing, volume.modality)

    def _tell_doubts(self, volume: Volume, tell: Notice) -> None:
        """Tell what speaks against the stages for a scan: last, where it is not scrolled away."""
        if stranger := modality_warning(volume, [engine.card for engine in self._used(volume)]):
            tell(stranger)
        for doubt in high_frequency_warnings(volume, self.upscaler.plan(*self._task(volume))):
            tell(doubt)

    def _task(self, volume: Volume) -> tuple[Factors, int]:
        """Return the factors that a scan is enlarged by, and its through-plane axis."""
        factors = self.upscaler.factors_for(volume, self.spacing) if self.spacing else self.factors
        return factors, through_plane_axis(volume.spacing) if self.slice_axis is None else self.slice_axis

    def _used(self, volume: Volume) -> list[Engine]:
        """Return the engines that enlarge a scan, of those at hand."""
        used = {(step.stage, step.scale) for step in self.upscaler.plan(*self._task(volume))}
        return [each for each in self.upscaler.engines if (each.card.stage, each.card.scale) in used]

    def _processing(self, volume: Volume, notices: Sequence[str]) -> Processing:
        """Return what enlarges a scan, for the records of a DICOM series."""
        (factors, axis), engines = self._task(volume), self._used(volume)
        return Processing(
            {f"{card.family}_{card.stage}_x{card.scale}": card.weights_sha256 for card in (e.card for e in engines)},
            ", ".join(dict.fromkeys(getattr(engine, "runtime", "custom") for engine in engines)) or "none",
            {
                "factors": list(factors),
                "spacing_mm": list(self.spacing) if self.spacing else None,
                "slice_axis": axis,
                "self_ensemble": self.upscaler.self_ensemble,
                "data_consistency": self.upscaler.data_consistency,
                "nan_fill": self.nan_fill,
                "notices": list(notices),
            },
        )


@dataclass(frozen=True)
class Summary:
    """How many scans of a folder were done, skipped because their output exists, and failed."""

    done: int
    skipped: int
    failed: int


def run_folder(
    job: PredictionJob,
    folder: Path,
    output: Path,
    tell: Callable[[str], None],
    report: Report | None = None,
    notice: Notice | None = None,
) -> Summary:
    """Enlarge every scan of a folder into the same place under another one; go on after a failure.

    Args:
        job: what to do.
        folder: searched for NIfTI files with all its subfolders.
        output: made if need be. A scan whose output exists there is skipped, so an interrupted run goes on.
        tell: told one line about each scan.
        report: told about progress within a scan.
        notice: told, after a scan's name, what the user should know about its result.

    Raises:
        VolumeError: the folder has no scan in it.
        OutputError: the output is not a folder, or is the folder of the scans.
    """
    scans = _in_folder(folder)
    if output.resolve().is_relative_to(folder.resolve()) or output.is_file():
        raise OutputError(f"The output must be a folder apart from the scans. Received: {output}. Choose another.")
    counts = {"done": 0, "skipped": 0, "failed": 0}
    for scan in scans:
        name = scan.relative_to(folder)
        target = output / name
        outcome = "skipped" if target.exists() and not job.force else _attempt(job, scan, target, tell, report, notice)
        counts[outcome] += 1
        if outcome != "failed":
            tell(f"{name}: {outcome}")
    return Summary(**counts)


def find_scans(paths: Iterable[Path], *, dicom: bool = False) -> list[Path]:
    """Return the scans among the paths and in the folders among them, sorted within each folder.

    Args:
        paths: files and folders; a folder is searched for NIfTI files.
        dicom: whether a folder without them, but with a DICOM series in it, is itself a scan.

    Raises:
        VolumeError: a path does not exist, or a folder has no scan in it.
    """
    return [scan for path in paths for scan in ([path] if _is_scan(path, dicom) else _in_folder(path))]


def _attempt(
    job: PredictionJob,
    scan: Path,
    target: Path,
    tell: Callable[[str], None],
    report: Report | None,
    notice: Notice | None,
) -> str:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        job.run(scan, target, report, (lambda text: notice(f"{scan.name}: {text}")) if notice else None)
    except (SrKerasError, OSError) as error:
        tell(f"{scan.name}: failed: {error}")
        return "failed"
    return "done"


def _slab_buffer(plan: Plan, dtype: np.dtype[Any], folder: Path) -> SlabBuffer | None:
    """Return what keeps slabs until they can be written in the order of the file; None where they come in it."""
    if plan.kept == "nowhere":
        return None
    # Slabs of the slowest axis of the file are read from it.
    layout = list(dict.fromkeys([plan.slab_axis, SLOWEST_AXIS, 1, 0]))
    return make_slab_buffer(plan.shape, layout, folder if plan.kept == "disk" else None, dtype)


def _is_scan(path: Path, dicom: bool) -> bool:
    return path.is_file() or (dicom and is_scan_folder(path))


def _in_folder(folder: Path) -> list[Path]:
    scans = sorted(path for path in folder.rglob("*") if is_nifti(path) and path.is_file()) if folder.is_dir() else []
    if not scans:
        raise VolumeError(
            f"Scans must be .nii or .nii.gz files, or a folder of them. Received: {folder}. Check the path."
        )
    return scans
