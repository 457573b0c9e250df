"""A folder of scans in, a folder of super-resolved scans out; a rerun does what is missing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sr_keras.errors import OutputError, SrKerasError, VolumeError
from sr_keras.files import remove_stale
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.prepared import PreparedJob, WarningCallback
from sr_keras.inference.provenance import made_otherwise
from sr_keras.io.nifti import is_nifti
from sr_keras.io.scans import dicom_folders, is_scan_folder
from sr_keras.progress import ProgressCallback

# What Finder leaves beside each file on disks of other systems.
APPLE_DOUBLE = "._"
# Scans in formats that are not read: a folder run names them instead of passing them over.
UNREAD_SUFFIXES = (".mgz", ".mgh", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True)
class Summary:
    """How many scans of a folder were done, skipped because their result is there, failed, and not read."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    ignored: int = 0


def run_folder(
    job: PredictionJob,
    folder: Path,
    output: Path,
    log: Callable[[str], None],
    progress: ProgressCallback | None = None,
    warn: WarningCallback | None = None,
) -> Summary:
    """Super-resolve every scan of a folder into the same place under another one; go on after a failure.

    Args:
        job: what to do.
        folder: searched for NIfTI files with all its subfolders.
        output: made if need be. A scan whose result is there, made of it with the same options, is skipped; a result
            made otherwise is a failure unless `job.force` is set.
        log: called with one line about each scan.
        progress: called with the progress within a scan.
        warn: called with a scan's name and a warning about its result.

    Raises:
        VolumeError: the folder has no scan in it.
        OutputError: the output is not a folder, or is in the folder of the scans.
    """
    scans = scans_in(folder)
    if output.is_file():
        raise OutputError(f"{output} is a file; name a folder for the results.")
    if output.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{output} is in the folder of the scans; choose a folder apart from it.")
    unread = list(_unread(folder))
    for path in unread:
        log(f"{path.relative_to(folder)}: ignored: only .nii and .nii.gz are read from a folder")
    series = dicom_folders(folder)
    for path in series:
        log(f"{path.relative_to(folder)}: ignored: it holds DICOM files; name this folder to super-resolve them")
    outcomes = []
    for scan in scans:
        outcome, reason = _attempt(job, scan, output / scan.relative_to(folder), progress, warn)
        log(f"{scan.relative_to(folder)}: {outcome}{reason and ': '}{reason}")
        outcomes.append(outcome)
    counts = {outcome: outcomes.count(outcome) for outcome in ("done", "skipped", "failed")}
    return Summary(**counts, ignored=len(unread) + len(series))


def plan_folder(job: PredictionJob, folder: Path, output: Path) -> Iterator[tuple[Path, PreparedJob | str]]:
    """Yield what each scan of a folder would take, or why it would not be done. Nothing is written.

    Args:
        job: as in `run_folder`.
        folder: as in `run_folder`.
        output: as in `run_folder`; it need not exist.

    Raises:
        VolumeError: as in `run_folder`.
    """
    for scan in scans_in(folder):
        name = scan.relative_to(folder)
        try:
            if (output / name).exists() and not job.force:
                otherwise = made_otherwise(scan, output / name, job.request)
                yield name, f"fails: it {otherwise}" if otherwise else "is done"
                continue
            yield name, job.prepare(scan, output / name)
        except (SrKerasError, OSError) as error:
            yield name, f"fails: {_without(scan, error)}"


def find_scans(paths: Iterable[Path], *, dicom: bool = False) -> list[Path]:
    """Return the scans among the paths and in the folders among them, sorted within each folder.

    Args:
        paths: files and folders; a folder is searched for NIfTI files.
        dicom: whether a folder without them, but with a DICOM series in it, is itself a scan.

    Raises:
        VolumeError: a path does not exist, or a folder has no scan in it.
    """
    return [scan for path in paths for scan in ([path] if _is_scan(path, dicom) else scans_in(path))]


def scans_in(folder: Path) -> list[Path]:
    """Return the NIfTI files in a folder and its subfolders, sorted.

    Raises:
        VolumeError: there is none, no such folder, or DICOM files lie beside them.
    """
    if not folder.exists():
        raise VolumeError(f"{folder} does not exist; check the path.")
    is_scan_folder(folder)
    found = (
        sorted(path for path in folder.rglob("*") if is_nifti(path) and _is_visible(path)) if folder.is_dir() else []
    )
    if not found:
        raise VolumeError(f"{folder} is no scan: neither .nii, .nii.gz or DICOM, nor a folder of them; check the path.")
    return found


def _attempt(
    job: PredictionJob, scan: Path, target: Path, progress: ProgressCallback | None, warn: WarningCallback | None
) -> tuple[str, str]:
    """Return the outcome of a scan, and why."""
    try:
        if target.exists() and not job.force:
            remove_stale(target)
            otherwise = made_otherwise(scan, target, job.request)
            return ("failed", f"{target} {otherwise}; use --force to make it again") if otherwise else ("skipped", "")
        target.parent.mkdir(parents=True, exist_ok=True)
        job.run(scan, target, progress, (lambda text: warn(f"{scan.name}: {text}")) if warn else None)
    except (SrKerasError, OSError) as error:
        # The line begins with the scan's name already.
        return "failed", _without(scan, error)
    return "done", ""


def _without(scan: Path, error: Exception) -> str:
    """Return an error's text without the scan's path at its beginning."""
    return str(error).removeprefix(str(scan)).lstrip(": ")


def _unread(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(UNREAD_SUFFIXES) and _is_visible(path):
            yield path


def _is_visible(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(APPLE_DOUBLE)


def _is_scan(path: Path, dicom: bool) -> bool:
    return path.is_file() or (dicom and is_scan_folder(path))
