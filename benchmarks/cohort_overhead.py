"""What each scan of a cohort costs besides itself on Dask and in array parts, and how workers add up.

    python benchmarks/cohort_overhead.py --scans 10000 -o benchmarks/results/cohort_overhead.json

- No-op scans are taken and told of, and no more: what is left is the cost of handing out and of the ledger.
- Sleeping scans need no core: they show how workers add up where each has one, and check the schedule of
  `sr_keras/cohort/planning.py`.
- Real crops of the sample MRI are done by one worker and by several in turn, with the processor time of all workers:
  where other programs keep the cores busy, time by the clock says little.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import distributed  # noqa: F401 (its settings must be there before `dask.config.set` puts back what was)
import nibabel
import numpy as np

from sr_keras.cohort.attempts import Report
from sr_keras.cohort.cluster import local_cluster, shared_out
from sr_keras.cohort.dispatch import run_on
from sr_keras.cohort.items import Item, Scan
from sr_keras.cohort.ledger import Entry, Ledger
from sr_keras.cohort.parts import ALL
from sr_keras.cohort.planning import makespan
from sr_keras.cohort.recipe import Recipe
from sr_keras.cohort.running import record_all

SAMPLE = Path(__file__).parents[1] / "samples" / "t1w_brain.nii.gz"
SHAPE = (64, 56, 24)
RECIPE = Recipe(("fast_d_x2", "fast_hw_x2"), threads=1)
# Runs in the workers in place of a scan, whose name says for how long.
SLEEP = """
import time
from sr_keras.cohort import attempts, worker
from sr_keras.cohort.ledger import Entry

def sleeping(job, item):
    time.sleep(float(item.name.partition("/")[0]))
    return attempts.Report((Entry(item.name, "done", output=item.output.name),))

worker.attempt = sleeping
"""


def main() -> None:
    """Measure parts, no-op, sleeping and real scans, the last two by one and by several workers in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=10_000, help="no-op scans; 0 leaves them out")
    parser.add_argument("--sleeping", type=int, default=80)
    parser.add_argument("--real", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    if arguments.scans:
        rows += [of_a_part(arguments.scans), of_sleep(arguments.workers, [0.0] * arguments.scans)]
    for workers in (1, arguments.workers) * arguments.rounds:
        rows.append(of_sleep(workers, [0.5] * arguments.sleeping))
        rows.append(of_crops(workers, arguments.real))
    text = json.dumps({"load": os.getloadavg(), "rows": rows, "ratios": ratios(rows)}, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.output:
        arguments.output.write_text(text)


def of_a_part(scans: int) -> dict[str, Any]:
    """Return what the ledger of a part costs each scan: two lines that are on the disk before the next begins."""
    items: list[Item] = [Scan(f"0/{n}", Path("x"), Path("x")) for n in range(scans)]
    done = [Report((Entry(item.name, "done", output="x"),)) for item in items]
    with tempfile.TemporaryDirectory(dir=".") as folder, Ledger(Path(folder), ALL) as ledger:
        start, cpu = time.perf_counter(), time.process_time()
        for item in items:
            ledger.write(Entry(item.name, "started", output="x"))
        record_all(done, scans, ledger, lambda _: None)
        cpu, took = time.process_time() - cpu, time.perf_counter() - start
    return told("part", 1, scans, {"ms_each": 1000 * took / scans, "client_cpu_ms_each": 1000 * cpu / scans})


def of_sleep(workers: int, seconds: list[float]) -> dict[str, Any]:
    """Return what scans of these seconds take."""
    items: list[Item] = [Scan(f"{each}/{n}", Path("x"), Path("x")) for n, each in enumerate(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sleep.py").write_text(SLEEP)
        with dask.config.set({"distributed.worker.preload": [f"{folder}/sleep.py"]}):
            figures = run(workers, items, Path(folder))
    figures["predicted_seconds"] = makespan(seconds, workers, start=0)
    return told(f"sleep {seconds[0]:g} s", workers, len(items), figures)


def of_crops(workers: int, scans: int) -> dict[str, Any]:
    """Return what real crops take."""
    image, chance = nibabel.load(SAMPLE), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder, items = Path(name), list[Item]()
        for number in range(scans):
            i, j, k = (
                int(chance.integers(10, length - size - 10)) for length, size in zip(image.shape, SHAPE, strict=True)
            )
            crop = image.slicer[i : i + SHAPE[0], j : j + SHAPE[1], k : k + SHAPE[2]]
            nibabel.save(crop, folder / f"{number}.nii.gz")
            items.append(Scan(f"{number}", folder / f"{number}.nii.gz", folder / f"out-{number}.nii.gz", "MR"))
        return told("crops", workers, scans, run(workers, items, folder))


def run(workers: int, items: list[Item], folder: Path) -> dict[str, Any]:
    """Return the seconds of a run on a new cluster, and the processor time of the client and of the workers."""
    with Ledger(folder, ALL) as ledger:
        start, cpu = time.perf_counter(), time.process_time()
        with local_cluster(workers, ledger.path) as cluster:
            reports = run_on(cluster, shared_out(RECIPE, workers), items, ledger.path, sys.stderr.write)
            started, begun = time.perf_counter() - start, time.process_time() - cpu
            before = sum(cluster.client.run(time.process_time).values())
            start, cpu = time.perf_counter(), time.process_time()
            summary = record_all(reports, len(items), ledger, lambda _: None)
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
            spent = sum(cluster.client.run(time.process_time).values()) - before
    if summary.states["done"] < len(items):
        raise RuntimeError(f"not all were done: {summary}")
    return {
        "start_seconds": started,
        "start_client_cpu_seconds": begun,
        "start_worker_cpu_seconds": before / workers,
        "seconds": took,
        "ms_each": 1000 * took / len(items),
        "client_cpu_ms_each": 1000 * cpu / len(items),
        "workers_cpu_ms_each": 1000 * spent / len(items),
    }


def told(kind: str, workers: int, scans: int, figures: dict[str, float]) -> dict[str, Any]:
    """Return a row, which stderr shows too."""
    row = {"kind": kind, "workers": workers, "scans": scans, **{key: round(each, 3) for key, each in figures.items()}}
    sys.stderr.write(f"load {os.getloadavg()[0]:.0f}: {row}\n")
    return row


def ratios(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many times as many scans several workers do in a second, each round against the run before it.

    By processor time: what it would be on as many free cores, if handing out cost nothing.
    """
    found: dict[str, Any] = {}
    for kind, key, name in (
        ("sleep 0.5 s", "seconds", "sleep"),
        ("crops", "seconds", "crops"),
        ("crops", "workers_cpu_ms_each", "crops, processor time"),
    ):
        own = [row for row in rows if row["kind"] == kind]
        cores = 1 if key == "seconds" else own[1]["workers"]
        found[name] = [round(cores * one[key] / more[key], 3) for one, more in zip(own[::2], own[1::2], strict=True)]
    return found


if __name__ == "__main__":
    main()
