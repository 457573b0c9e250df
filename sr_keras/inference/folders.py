"""Several scans in, as many super-resolved scans out; a rerun does what is missing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Literal

from sr_keras.errors import OutputError, SrKerasError, VolumeError
from sr_keras.files import check_is_folder, remove_stale
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.outcomes import Outcome
from sr_keras.inference.prepared import PreparedJob, WarningCallback
from sr_keras.inference.provenance import made_otherwise, sidecar_path
from sr_keras.io.image_names import is_image, is_whole
from sr_keras.io.scans import dicom_folders, is_image_file, is_scan_folder
from sr_keras.progress import ProgressCallback

Status = Literal["done", "skipped", "failed"]
# Of DICOM archives: the series made of one is a folder.
ZIP = ".zip"


@dataclass(frozen=True)
class NamedScan:
    """A scan and where its result goes.

    Attributes:
        path: of the scan.
        name: of the result, relative to the folder of results.
    """

    path: Path
    name: Path


@dataclass(frozen=True)
class Attempt:
    """What became of one of several scans.

    Attributes:
        scan: the scan.
        output: where its result goes.
        status: "skipped" where the result is there, made of the scan with the same options.
        reason: why it failed; empty otherwise.
        outcome: what was made; None unless it was done now.
    """

    scan: NamedScan
    output: Path
    status: Status
    reason: str = ""
    outcome: Outcome | None = None

    @property
    def line(self) -> str:
        """What became of the scan, in a line."""
        made = f": {self.outcome.summary}" if self.outcome else ""
        return f"{self.scan.name}: {self.status}{made}{self.reason and ': '}{self.reason}"


@dataclass(frozen=True)
class Summary:
    """How many scans were done, skipped because their result is there, and failed."""

    done: int = 0
    skipped: int = 0
    failed: int = 0


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
        folder: searched for image files with all its subfolders.
        output: made if need be. A scan whose result is there, made of it with the same options, is skipped; a result
            made otherwise is a failure unless `job.force` is set.
        log: called with one line about each scan.
        progress: called with the progress within a scan.
        warn: called with a scan's name and a warning about its result.

    Raises:
        VolumeError: the folder has no scan in it.
        OutputError: the output is not a folder, or is in the folder of the scans.
    """
    scans = named_scans([folder])
    check_folder(scans, output, [folder])
    for line in ignored_series([folder]):
        log(line)
    statuses = []
    for attempt in run_scans(job, scans, output, progress):
        if warn and attempt.outcome:
            for warning in attempt.outcome.warnings:
                warn(f"{attempt.scan.path.name}: {warning}")
        log(attempt.line)
        statuses.append(attempt.status)
    return summary_of(statuses)


def ignored_series(paths: Iterable[Path]) -> list[str]:
    """Return a line for each DICOM series below folders of image files, which is no scan of theirs.

    Args:
        paths: scans and folders of scans.
    """
    folders = [path for path in paths if path.is_dir() and not is_scan_folder(path)]
    return [
        f"{series.relative_to(folder)}: ignored: it holds DICOM files; name this folder to super-resolve them"
        for folder in folders
        for series in dicom_folders(folder)
    ]


def run_scans(
    job: PredictionJob, scans: Iterable[NamedScan], output: Path, progress: ProgressCallback | None = None
) -> Iterator[Attempt]:
    """Super-resolve scans one after another, with engines that are loaded once, and yield what became of each.

    Args:
        job: what to do.
        scans: as `named_scans` returns them.
        output: the folder of the results, as `check_folder` accepts it.
        progress: called with the progress within a scan.
    """
    for scan in scans:
        yield _attempt(job, scan, output / scan.name, progress)


def summary_of(statuses: Sequence[Status]) -> Summary:
    """Return how many scans came to what."""
    return Summary(statuses.count("done"), statuses.count("skipped"), statuses.count("failed"))


def check_folder(scans: Sequence[NamedScan], output: Path, given: Iterable[Path]) -> None:
    """Refuse a folder of results before any work is done for it.

    Args:
        scans: that have their results in it.
        output: the folder; it need not exist.
        given: the paths that the user named.

    Raises:
        OutputError: it is a file or named like one, lies in a folder of scans, or two results would have one name, or
            one sidecar.
    """
    check_is_folder(output)
    if is_image(output) and not output.exists():
        raise OutputError(
            f"{output} is the name of one image file; several scans, or those of a folder, need a folder as output."
        )
    if any(path.is_dir() and output.resolve().is_relative_to(path.resolve()) for path in given):
        raise OutputError(f"{output} is in the folder of the scans; choose a folder apart from it.")
    first: dict[Path, Path] = {}
    for scan in scans:
        other = first.setdefault(scan.name, scan.path)
        if other != scan.path:
            raise OutputError(f"{other} and {scan.path} have one name; super-resolve them into two folders.")
        if not is_image_file(scan.path):
            continue
        sidecar = sidecar_path(scan.name)
        other = first.setdefault(sidecar, scan.path)
        if other != scan.path:
            raise OutputError(
                f"{other} and {scan.path} would share the sidecar {sidecar}; super-resolve them into two folders."
            )


def plan_scans(
    job: PredictionJob, scans: Iterable[NamedScan], output: Path
) -> Iterator[tuple[NamedScan, PreparedJob | str]]:
    """Yield what each scan would take, or why it would not be done. Nothing is written.

    Args:
        job: as in `run_scans`.
        scans: as in `run_scans`.
        output: as in `run_scans`; it need not exist.
    """
    for scan in scans:
        target = output / scan.name
        try:
            if target.exists() and not job.force:
                otherwise = made_otherwise(scan.path, target, job.request)
                yield scan, f"fails: it {otherwise}" if otherwise else "is done"
                continue
            yield scan, job.prepare(scan.path, target)
        except (SrKerasError, OSError) as error:
            yield scan, f"fails: {_without(scan.path, error)}"


def expanded(paths: Iterable[Path]) -> list[Path]:
    """Return paths with patterns such as `scans/*.nii.gz` replaced by what they match, sorted.

    Raises:
        VolumeError: a pattern matches nothing.
    """
    found: list[Path] = []
    for path in paths:
        matches = sorted(map(Path, glob(str(path)))) if has_magic(str(path)) and not path.exists() else [path]
        if not matches:
            raise VolumeError(f"{path} matches no file; check the pattern.")
        found += matches
    return found


def named_scans(paths: Iterable[Path]) -> list[NamedScan]:
    """Return the scans among paths, and those in the folders among them, with the names of their results.

    Args:
        paths: files, DICOM series, and folders, which are searched with all their subfolders.

    Raises:
        VolumeError: a path does not exist, or a folder has no scan in it.
    """
    scans: list[NamedScan] = []
    for path in paths:
        if path.is_file() or is_scan_folder(path):
            name = path.resolve().name if path.name in ("", "..") else path.name
            scans.append(NamedScan(path, Path(name[: -len(ZIP)] if name.lower().endswith(ZIP) else name)))
        else:
            scans += [NamedScan(scan, scan.relative_to(path)) for scan in scans_in(path)]
    return scans


def find_scans(paths: Iterable[Path], *, dicom: bool = False) -> list[Path]:
    """Return the scans among the paths and in the folders among them, sorted within each folder.

    Args:
        paths: files and folders; a folder is searched for image files.
        dicom: whether a folder without them, but with a DICOM series in it, is itself a scan.

    Raises:
        VolumeError: a path does not exist, or a folder has no scan in it.
    """
    return [scan for path in paths for scan in ([path] if _is_scan(path, dicom) else scans_in(path))]


def scans_in(folder: Path) -> list[Path]:
    """Return the image files in a folder and its subfolders, sorted.

    Raises:
        VolumeError: there is none, no such folder, or DICOM files lie beside them.
    """
    if not folder.exists():
        raise VolumeError(f"{folder} does not exist; check the path.")
    is_scan_folder(folder)
    found = sorted(path for path in folder.rglob("*") if is_whole(path) and path.is_file()) if folder.is_dir() else []
    if not found:
        raise VolumeError(f"{folder} is no scan: neither .nii, .nii.gz or DICOM, nor a folder of them; check the path.")
    return found


def _attempt(job: PredictionJob, scan: NamedScan, target: Path, progress: ProgressCallback | None) -> Attempt:
    try:
        if target.exists() and not job.force:
            remove_stale(target)
            otherwise = made_otherwise(scan.path, target, job.request)
            if not otherwise:
                return Attempt(scan, target, "skipped")
            return Attempt(scan, target, "failed", f"{target} {otherwise}; use --force to make it again")
        target.parent.mkdir(parents=True, exist_ok=True)
        return Attempt(scan, target, "done", outcome=job.process(scan.path, target, progress))
    except (SrKerasError, OSError) as error:
        # The line begins with the scan's name already.
        return Attempt(scan, target, "failed", _without(scan.path, error))


def _without(scan: Path, error: Exception) -> str:
    """Return an error's text without the scan's path at its beginning."""
    return str(error).removeprefix(str(scan)).lstrip(": ")


def _is_scan(path: Path, dicom: bool) -> bool:
    return path.is_file() or (dicom and is_scan_folder(path))
