"""One scan of a cohort: done unless its result is there, and whatever happened told in a line of the ledger."""

import os
import socket
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sr_keras.cohort.bids_dataset import sidecar_fields
from sr_keras.cohort.items import Folder, Item, Scan
from sr_keras.cohort.ledger import Entry, State
from sr_keras.cohort.studies import search
from sr_keras.cohort.usage import peak_bytes, reset_peak
from sr_keras.errors import OutputBusyError, SrKerasError
from sr_keras.files import file_sha256, make_folder, remove_stale
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.provenance import made_otherwise, record_of
from sr_keras.io.scans import Choice

# Seconds to wait for another process that is at the same scan, such as one whose client was killed, and between looks.
PATIENCE, PAUSE = 600.0, 2.0
# Longest reason that is kept, in characters.
LONGEST_REASON = 2000


@dataclass(frozen=True)
class Report:
    """What came of an item.

    Attributes:
        entries: for the ledger.
        found: what is to be done now: the scans of a folder.
    """

    entries: tuple[Entry, ...] = ()
    found: tuple[Item, ...] = ()


def attempt(job: PredictionJob, item: Item) -> Report:
    """Do an item. Nothing is raised: a mistake in one scan of ten thousand must not end the others.

    Args:
        job: what to do with a scan; its `force` makes a result again that was made otherwise.
        item: a scan or a folder.
    """
    start = time.monotonic()
    reset_peak()
    warnings: list[str] = []
    try:
        if isinstance(item, Folder):
            return _searched(item, job)
        state, reason = _patiently(job, item, warnings)
    except (SrKerasError, OSError) as error:
        state, reason = "failed", without_path(item, str(error))
    except Exception:
        # A bug, which a developer will want to see.
        state, reason = "failed", traceback.format_exc()[-LONGEST_REASON:]
    seconds = round(time.monotonic() - start, 3)
    entry = Entry(item.name, state, reason[:LONGEST_REASON], item.output.name, seconds, peak_bytes(), tuple(warnings))
    entry = replace(entry, worker=worker_name())
    return Report((entry if state == "failed" or isinstance(item, Folder) else _completed(entry, item),))


def worker_name() -> str:
    """Return what the ledger calls this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _searched(folder: Folder, job: PredictionJob) -> Report:
    scans, refused = search(folder, job.modality)
    worker = worker_name()
    entries = [Entry(name, "refused", reason, worker=worker) for name, reason in refused.items()]
    return Report((Entry(folder.name, "searched", output=folder.output.name, worker=worker), *entries), tuple(scans))


def _patiently(job: PredictionJob, scan: Scan, warnings: list[str]) -> tuple[State, str]:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _attempted(job, scan, warnings)
        except OutputBusyError:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSE)


def _attempted(job: PredictionJob, scan: Scan, warnings: list[str]) -> tuple[State, str]:
    """Return what became of a scan, and why."""
    job = job_for(job, scan)
    with source_of(scan) as source:
        if scan.output.exists():
            remove_stale(scan.output)
            otherwise = made_otherwise(source, scan.output, job.request)
            if not otherwise:
                return "unchanged", ""
            if not job.force:
                return "failed", f"its result {otherwise}; use --force to make it again"
        make_folder(scan.output.parent)
        job.run(source, scan.output, warn=warnings.append, record=sidecar_fields(scan) if scan.uri else None)
    return "done", ""


def job_for(job: PredictionJob, scan: Scan) -> PredictionJob:
    """Return what to do with a scan. Whoever named its file need not have seen it: only an option vouches for it."""
    modality, choice = job.modality or scan.modality, Choice(scan.series, scan.frame_group)
    return replace(job, modality=modality, choice=choice, vouched=job.modality is not None)


@contextmanager
def source_of(scan: Scan) -> Iterator[Path]:
    """Yield what is read: the scan's file, or a folder of links to the files of one series.

    A folder of a study may hold thirty series. Without the links, each would be found and hashed thirty times. Errors
    name the study's folder.
    """
    if not scan.files:
        yield scan.path
        return
    with tempfile.TemporaryDirectory(prefix="sr_keras-") as folder:
        for number, path in enumerate(scan.files):
            (Path(folder) / f"{number:06d}").symlink_to(path.resolve())
        try:
            yield Path(folder)
        except SrKerasError as error:
            raise type(error)(str(error).replace(folder, str(scan.path))) from error


def _completed(entry: Entry, scan: Scan) -> Entry:
    """Return an entry with what the sidecar says, and the hash of the result."""
    record = record_of(scan.output) or {}
    models = record.get("models") or (record.get("request") or {}).get("models") or {}
    digest = ""
    with suppress(OSError):
        digest = "" if scan.output.is_dir() else file_sha256(scan.output)
    return replace(
        entry,
        warnings=entry.warnings or tuple(record.get("warnings", ())),
        input_sha256=record.get("input_sha256", ""),
        output_sha256=digest,
        models=models,
    )


def without_path(item: Item, text: str) -> str:
    """Return a text without the item's path at its beginning: the line has its name already."""
    return text.removeprefix(str(item.path)).lstrip(": ")
