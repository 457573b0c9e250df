"""What `--dry-run` says of a cohort beside what its run takes, in turn, so that other programs disturb both alike.

    python benchmarks/cohort_plan.py -o benchmarks/results/cohort_plan.json

The cohort: crops of the sample MRI of a few sizes, each super-resolved x2 in one process.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel

from sr_keras.cohort.items import Scan
from sr_keras.cohort.ledger import Ledger
from sr_keras.cohort.parts import ALL
from sr_keras.cohort.planning import plan_cohort
from sr_keras.cohort.recipe import Recipe
from sr_keras.cohort.running import record_all
from sr_keras.cohort.serial import run_here

SAMPLE = Path(__file__).parents[1] / "samples" / "t1w_brain.nii.gz"
SHAPES = ((64, 48, 32), (96, 64, 48), (128, 72, 64))


def main() -> None:
    """Plan and run, again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=2, help="of each size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            rows.append(beside(Path(folder) / str(number), arguments.scans))
            sys.stderr.write(f"{rows[-1]}\n")
    text = json.dumps(rows, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.output:
        arguments.output.write_text(text)


def beside(folder: Path, count: int) -> dict[str, Any]:
    """Return the seconds that are planned, and those that are taken."""
    scans, recipe = list(crops(folder, count)), Recipe(("fast_d_x2", "fast_hw_x2"))
    plan = plan_cohort(recipe.job(), scans)
    start, cpu = time.perf_counter(), time.process_time()
    with Ledger(folder, ALL) as ledger:
        record_all(run_here(recipe, scans, ledger), len(scans), ledger, sys.stderr.write)
    took, spent = time.perf_counter() - start, time.process_time() - cpu
    return {
        "load": round(os.getloadavg()[0], 1),
        "scans": len(scans),
        "planned_seconds": round(plan.seconds, 2),
        "seconds": round(took, 2),
        "processor_seconds": round(spent, 2),
        "planned_over_taken": round(plan.seconds / took, 3),
    }


def crops(folder: Path, count: int) -> Iterator[Scan]:
    """Yield scans of each size."""
    image = nibabel.load(SAMPLE)
    folder.mkdir()
    for shape in SHAPES:
        for number in range(count):
            i, j, k = ((each - size) // 2 - number for each, size in zip(image.shape, shape, strict=True))
            name = f"{shape[0]}-{number}"
            path = folder / f"{name}.nii.gz"
            nibabel.save(image.slicer[i : i + shape[0], j : j + shape[1], k : k + shape[2]], path)
            yield Scan(name, path, folder / f"{name}_SR.nii.gz", "MR")


if __name__ == "__main__":
    main()
