"""What a command prints and where: results on stdout, warnings and the log on stderr, each on a line of its own."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.errors import printable

if TYPE_CHECKING:
    from sr_keras.inference.outcomes import Outcome
    from sr_keras.progress import ProgressCallback


@dataclass(frozen=True)
class Voice:
    """How much a command says, and for whom.

    Attributes:
        quiet: whether errors alone are printed.
        verbose: whether the log is printed.
        as_json: whether stdout is for a program: it gets one JSON object for each scan, and nothing else.
    """

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise click.UsageError("Give --quiet or --verbose, not both.")

    def say(self, text: str) -> None:
        """Print what was done, on stdout unless that is for a program."""
        if not self.quiet and not self.as_json:
            click.echo(text)

    def warn(self, text: str) -> None:
        """Print a warning on stderr."""
        if not self.quiet:
            click.echo(text, err=True)

    def record(
        self,
        scan: Path,
        output: Path,
        status: str,
        outcome: "Outcome | None" = None,
        reason: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Print what became of a scan for a program."""
        if not self.as_json:
            return
        known: dict[str, Any] = {"scan": str(scan), "output": str(output), "status": status}
        if outcome is not None:
            known |= {**outcome.facts, "summary": outcome.summary, "warnings": list(outcome.warnings)}
            known["seconds"] = round(outcome.seconds, 3)
        click.echo(json.dumps(known | dict(facts or {}) | ({"reason": printable(reason)} if reason else {})))

    def progress(self) -> "AbstractContextManager[ProgressCallback | None]":
        """Return what shows a progress bar on a terminal."""
        from sr_keras.progress import progress_report

        return nullcontext() if self.quiet else progress_report()

    @contextmanager
    def log(self) -> Iterator[None]:
        """Print the library's log on stderr while this lasts, if it is wanted."""
        if not self.verbose:
            yield
            return
        logger, handler = logging.getLogger("sr_keras"), _Handler()
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)


class _Handler(logging.Handler):
    """Prints records on what is stderr at that moment: beside a progress bar, that is above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record in a line."""
        click.echo(printable(record.getMessage()), err=True)
