"""A cohort from its list to its ledger, whatever does the work."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sr_keras.cohort.attempts import Report
from sr_keras.cohort.ledger import UNDONE, Entry, Ledger
from sr_keras.progress import ProgressCallback

# Called with a line about a scan, or about all of them.
Log = Callable[[str], None]
# Seconds between two lines about all scans.
EVERY = 60.0


@dataclass
class Summary:
    """How many scans came to which end in a run.

    Attributes:
        states: counts, by state.
        warned: scans with warnings.
    """

    states: Counter[str] = field(default_factory=Counter)
    warned: int = 0

    def add(self, entry: Entry) -> None:
        """Count a scan."""
        self.states[entry.state] += 1
        self.warned += bool(entry.warnings)

    @property
    def is_complete(self) -> bool:
        """Whether nothing waits for somebody."""
        return not any(self.states[state] for state in UNDONE)

    def __str__(self) -> str:
        states = [f"{self.states[state]} {state}" for state in ("done", "unchanged", *UNDONE, "refused")]
        return ", ".join([*states, f"{self.warned} with warnings"])


def record_all(
    reports: Iterable[Report], count: int, ledger: Ledger, log: Log, progress: ProgressCallback | None = None
) -> Summary:
    """Enter all that happens to a cohort in its ledger as it happens.

    Args:
        reports: of each item as it ends.
        count: of the items at the beginning; folders add what is found in them.
        ledger: to write.
        log: called with a line about each scan that was not done, and each minute with one about all.
        progress: called with the items done and all.

    Raises:
        OutputError: the ledger cannot be written.
    """
    summary, ended, start = Summary(), 0, time.monotonic()
    said = start
    for report in reports:
        for entry in report.entries:
            ledger.write(entry)
            summary.add(entry)
            if entry.reason:
                log(f"{entry.scan}: {entry.state}: {entry.reason.strip().splitlines()[-1]}")
        ended, count = ended + 1, count + len(report.found)
        if progress:
            progress("scans", ended, count)
        now = time.monotonic()
        if now - said > EVERY:
            said, left = now, (now - start) * (count - ended) / ended
            log(f"{ended} of {count}: {summary}; about {left / 60:.0f} min left")
    return summary
