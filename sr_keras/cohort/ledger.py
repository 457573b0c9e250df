"""The ledger: one line of JSON for all that happened to a scan, on the disk before anything else is begun."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sr_keras.cohort.parts import Part
from sr_keras.errors import OutputError
from sr_keras.files import lock_file, make_folder, write_errors

State = Literal["started", "searched", "done", "unchanged", "failed", "refused", "set aside"]
# States in which a scan waits for somebody.
UNDONE = ("failed", "set aside")
# States of which there is nothing to measure.
BRIEF = ("started", "searched")
FOLDER = "logs"


@dataclass(frozen=True)
class Entry:
    """A line of the ledger.

    Attributes:
        scan: its name.
        state: "started" (by a process that keeps the ledger itself), "searched" (a folder), "done", "unchanged" (the
            result was there), "failed", "refused" (no volume, such as a localiser), "set aside" (it ended the processes
            that read it).
        reason: of a failure.
        output: name of the result, there or not.
        seconds: that it took.
        peak_memory_bytes: of the process that did it, resident.
        warnings: about the result.
        input_sha256: of the file, or of the names and digests of a series' files.
        output_sha256: of the file; empty for a DICOM series.
        models: SHA-256 of the weights by the stages' names.
        worker: the process, as HOST:NUMBER.
        time: when the line was made, UTC, ISO 8601.
    """

    scan: str
    state: State
    reason: str = ""
    output: str = ""
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    warnings: tuple[str, ...] = ()
    input_sha256: str = ""
    output_sha256: str = ""
    models: dict[str, str] = field(default_factory=dict)
    worker: str = ""
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


FIELDS = {each.name for each in fields(Entry)}
TEXTS = ("scan", "state", "reason", "output", "input_sha256", "output_sha256", "worker", "time")


class Ledger:
    """A ledger that is written to, by one process at a time.

    Args:
        folder: of the results.
        part: of the cohort, which has a ledger of its own.

    Raises:
        OutputError: it cannot be written, or another run is writing it.
    """

    def __init__(self, folder: Path, part: Part) -> None:
        self.path = folder / FOLDER / f"ledger{part.label and '_'}{part.label}.jsonl"
        make_folder(self.path.parent)
        with write_errors(self.path):
            self._file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o666)
            try:
                lock_file(self._file, self.path)
                self._end_torn_line()
            except BaseException:
                os.close(self._file)
                raise

    def write(self, entry: Entry) -> None:
        """Add a line, which is on the disk when this returns.

        Raises:
            OutputError: it cannot be written.
        """
        fields = asdict(entry)
        if entry.state in BRIEF:
            fields = {key: value for key, value in fields.items() if value}
        line = json.dumps(fields).encode() + b"\n"
        with write_errors(self.path):
            if os.write(self._file, line) < len(line):
                raise OutputError(f"{self.path} could not be written in full; free space and run again.")
            os.fsync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _end_torn_line(self) -> None:
        """End a line that a killed run left without its end: what follows it must be a line of its own."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the lines of a ledger in their order; those that a kill has torn are left out."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                content = json.loads(line)
                entry = Entry(**{key: content[key] for key in FIELDS & content.keys()})
                if _is_sound(entry):
                    yield entry


def _is_sound(entry: Entry) -> bool:
    """Say whether each part of a line that was read is of its kind."""
    numbers, lists = (entry.seconds, entry.peak_memory_bytes), (entry.warnings, entry.models)
    texts = [getattr(entry, name) for name in TEXTS] + [each for part in lists for each in part]
    return (
        all(isinstance(each, int | float) for each in numbers)
        and isinstance(entry.models, dict)
        and all(isinstance(each, str) for each in texts)
    )


def last_entries(folder: Path) -> dict[tuple[str, str], Entry]:
    """Return the last entry of each scan and result, by their names, from all ledgers of a folder of results.

    A result that was there counts as done, with the figures of the run that made it.
    """
    last: dict[tuple[str, str], Entry] = {}
    made: dict[tuple[str, str], Entry] = {}
    for path in sorted((folder / FOLDER).glob("ledger*.jsonl")):
        for entry in read_entries(path):
            key = entry.scan, entry.output
            if key in last and last[key].time > entry.time:
                continue
            if entry.state == "done":
                made[key] = entry
            last[key] = made.get(key, entry) if entry.state == "unchanged" else entry
    return last


def deaths_in(path: Path) -> dict[str, int]:
    """Return how often each scan was begun since it last came to an end: each time its process died.

    Args:
        path: of a ledger, which need not exist.
    """
    begun: dict[str, int] = {}
    for entry in read_entries(path) if path.exists() else ():
        if entry.state == "started":
            begun[entry.scan] = begun.get(entry.scan, 0) + 1
        else:
            begun.pop(entry.scan, None)
    return begun
