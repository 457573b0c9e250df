"""Measure what several scans in one call save against one call for each: the engines are loaded once.

    python benchmarks/several_scans.py RESULT.json [--scans 8] [--shape 64x64x24] [--repeats 3]

Every call is a command in a fresh process. In each repeat the scans run one by one, then all in one call, so that both
meet the same machine; the ratio is taken within a repeat. The scans are small, so that the share of starting and
loading is as large as it gets.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from synthetic_ct import write_ct

from sr_keras.machine import describe_machine


def processor_seconds(arguments: list[str]) -> tuple[float, float]:
    """Run `predict` in a process of its own; return its seconds by the clock, and those of all cores."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sr_keras", "predict", *arguments, "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: predict {' '.join(arguments)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def measured(scans: list[Path], folder: Path) -> dict[str, float]:
    """Return the seconds of all scans one by one, and in one call."""
    single = [processor_seconds([str(scan), "-o", str(folder / f"one_{scan.name}"), "--force"]) for scan in scans]
    together = processor_seconds([*map(str, scans), "-o", str(folder / "all"), "--force"])
    row = {
        "one_by_one_s": sum(seconds for seconds, _ in single),
        "one_by_one_processor_s": sum(processor for _, processor in single),
        "one_call_s": together[0],
        "one_call_processor_s": together[1],
    }
    return row | {
        "ratio": row["one_by_one_s"] / row["one_call_s"],
        "processor_ratio": row["one_by_one_processor_s"] / row["one_call_processor_s"],
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--scans", type=int, default=8)
    parser.add_argument("--shape", default="64x64x24")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    shape = tuple(int(length) for length in arguments.shape.split("x"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        scans = [folder / f"scan{number}.nii" for number in range(arguments.scans)]
        for scan in scans:
            write_ct(scan, shape)
        # What the engines take on this machine is measured once, and kept.
        processor_seconds([str(scans[0]), "-o", str(folder / "first.nii")])
        rows = [measured(scans, folder) for _ in range(arguments.repeats)]
    ratios = {key: median(row[key] for row in rows) for key in ("ratio", "processor_ratio")}
    result = {"scans": len(scans), "shape": arguments.shape, "medians": ratios, "repeats": rows}
    arguments.result.write_text(json.dumps(result | {"machine": describe_machine()}, indent=2) + "\n")
    sys.stdout.write(f"one by one takes {ratios['ratio']:.2f} times as long ({ratios['processor_ratio']:.2f} of CPU)\n")


if __name__ == "__main__":
    main()
