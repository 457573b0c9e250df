"""The table of docs/cohort.md: how long a cohort takes on so many workers, from a measured time a scan.

python benchmarks/cohort_table.py --seconds 53
"""

import argparse
import sys

from sr_keras.cohort.parts import Part
from sr_keras.cohort.planning import OVERHEAD, START, makespan, makespan_of_parts

SCANS, WORKERS = (10, 1_000, 100_000), (1, 10, 1_000)


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=53.0, help="of one scan on one worker")
    seconds = parser.parse_args().seconds
    sys.stdout.write(f"{seconds:g} s a scan, {START:g} s of start, {1000 * OVERHEAD:g} ms of the client a scan\n\n")
    ends = [(workers, "s" if workers > 1 else "") for workers in WORKERS]
    heads = "".join(f" {workers:,} worker{end} | {workers:,} part{end} |" for workers, end in ends)
    sys.stdout.write(f"| scans |{heads}\n|---|{'---|---|' * len(WORKERS)}\n")
    for scans in SCANS:
        cells = "".join(
            f" {duration(makespan([seconds] * scans, workers))} | {duration(of_parts(scans, workers, seconds))} |"
            for workers in WORKERS
        )
        sys.stdout.write(f"| {scans:,} |{cells}\n")


def of_parts(scans: int, count: int, seconds: float) -> float:
    """Return how long as many array jobs at once as there are parts take, split by the names' hashes."""
    held = [0] * count
    for number in range(scans):
        held[Part(1, count).number_of(f"sub-{number:06d}") - 1] += 1
    return makespan_of_parts([[seconds] * each for each in held], count)


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


if __name__ == "__main__":
    main()
