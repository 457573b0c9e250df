"""What each scan of a cohort costs besides itself: no-op scans on Dask, and array parts; and how workers add up.

    python benchmarks/cohort_overhead.py --scans 10000 --workers 1 2 4 -o benchmarks/results/cohort_overhead.json

A no-op scan is one whose result is there: nothing is read but its hash. Sleeping scans, a core of their own each, are
what the schedule of `sr_keras/cohort/planning.py` is checked against.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sr_keras.cohort.attempts import Report
from sr_keras.cohort.cluster import local_cluster, run_on, shared_out
from sr_keras.cohort.items import Item, Scan
from sr_keras.cohort.ledger import Entry, Ledger
from sr_keras.cohort.parts import ALL
from sr_keras.cohort.planning import makespan
from sr_keras.cohort.recipe import Recipe
from sr_keras.cohort.running import record_all

RECIPE = Recipe(("fast_d_x2", "fast_hw_x2"))
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
    """Run no-op and sleeping scans on each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=10_000)
    parser.add_argument("--sleeping", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = [of_a_part(min(arguments.scans, 1000))]
    sys.stderr.write(f"{rows[-1]}\n")
    for workers in arguments.workers:
        for seconds, count in ((0.0, arguments.scans), (0.25, arguments.sleeping)):
            rows.append(measured(workers, [seconds] * count))
            sys.stderr.write(f"{rows[-1]}\n")
    text = json.dumps(rows, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.output:
        arguments.output.write_text(text)


def of_a_part(scans: int) -> dict[str, Any]:
    """Return what the ledger of a part costs each scan: two lines that are on the disk before the next begins."""
    items: list[Item] = [Scan(f"0/{n}", Path("x"), Path("x")) for n in range(scans)]
    done = [Report((Entry(item.name, "done", output="x"),)) for item in items]
    with tempfile.TemporaryDirectory(dir=".") as folder, Ledger(Path(folder), ALL) as ledger:
        start = time.perf_counter()
        for item in items:
            ledger.write(Entry(item.name, "started", output="x"))
        record_all(done, scans, ledger, lambda _: None)
        took = time.perf_counter() - start
    return {"workers": "part", "scans": scans, "overhead_ms_each": round(1000 * took / scans, 3)}


def measured(workers: int, seconds: list[float]) -> dict[str, Any]:
    """Return how long scans of these seconds take on a cluster that has started, and how long it started."""
    import dask

    items: list[Item] = [Scan(f"{each}/{n}", Path("x"), Path("x")) for n, each in enumerate(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sleep.py").write_text(SLEEP)
        start = time.perf_counter()
        with dask.config.set({"distributed.worker.preload": [f"{folder}/sleep.py"]}), local_cluster(workers) as cluster:
            started = time.perf_counter() - start
            with Ledger(Path(folder), ALL) as ledger:
                start = time.perf_counter()
                reports = run_on(cluster, shared_out(RECIPE, workers), items)
                record_all(reports, len(items), ledger, lambda _: None)
            took = time.perf_counter() - start
    return {
        "workers": workers,
        "scans": len(items),
        "seconds_each": seconds[0],
        "start_seconds": round(started, 2),
        "seconds": round(took, 2),
        "overhead_ms_each": round(1000 * (took - sum(seconds) / workers) / len(items), 3),
        "predicted_seconds": round(makespan(seconds, workers, start=0), 2),
    }


if __name__ == "__main__":
    main()
