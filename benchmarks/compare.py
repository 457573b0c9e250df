"""Compare two reports of `sr-keras benchmark` and fail where the new one is slower than a bound allows.

    python benchmarks/compare.py OLD.json NEW.json [BOUND]

BOUND is the largest ratio of new to old medians that passes, 1.1 if it is not given; exit code 1 means that one is
past it. Ratios are printed with the spread of the repeats of both runs: a ratio within it says nothing.
"""

import sys
from pathlib import Path

from sr_keras.benchmark.report import read_report, summarise
from sr_keras.errors import SrKerasError


def main(old: str, new: str, bound: str = "1.1") -> int:
    """Print a line for each engine and batch size in both reports; return the exit code."""
    before, after = (
        {(row["label"], row["batch"]): row for row in summarise(read_report(Path(name)))} for name in (old, new)
    )
    slower = 0
    for key in sorted(before.keys() & after.keys()):
        ratio = after[key]["p50_s"] / before[key]["p50_s"]
        spread = before[key]["spread"] + after[key]["spread"]
        slower += ratio > float(bound)
        sys.stdout.write(f"{key[0]}, batch {key[1]}: new/old {ratio:.3f}, spread {spread:.3f}\n")
    return 1 if slower or not before.keys() & after.keys() else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except SrKerasError as error:
        sys.exit(f"Error: {error}")
