"""A cohort under fire: workers killed, a scan that kills its worker, a damaged one, and the client itself killed.

    python benchmarks/cohort_faults.py --scans 200 --workers 4 -o benchmarks/results/cohort_faults.json

Crops of real scans are super-resolved on a local Dask cluster, and one after the other in one process. The results must
be equal, and each made once.
"""

import argparse
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
SHAPE = (24, 22, 16)
# The participant whose scan kills whatever reads it, and the one whose file is cut off.
CRASHING, CORRUPT = "sub-0002", "sub-0003"
TROUBLE = ("failed", "set aside")
PRELOAD = """
import os, signal
from sr_keras.inference import jobs

def deadly(path, read_scan=jobs.read_scan, **options):
    if "{name}" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return read_scan(path, **options)

# Dask runs this file more than once.
if jobs.read_scan.__name__ != "deadly":
    jobs.read_scan = deadly
"""


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--source", type=Path, nargs="+", default=[ROOT / "samples" / "t1w_brain.nii.gz"])
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), arguments.scans, arguments.workers, arguments.source)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def run(folder: Path, scans: int, workers: int, sources: list[Path]) -> dict[str, Any]:
    """Run a cohort in three ways and return what came of each."""
    raw = write_cohort(folder / "raw", scans, sources)
    # First, so that what is measured of the engines is there for all.
    seconds, _ = timed(command(raw, folder / "serial"), {})
    reference = digests(folder / "serial")
    preload = folder / "deadly.py"
    preload.write_text(PRELOAD.format(name=CRASHING))
    deadly = {"DASK_DISTRIBUTED__WORKER__PRELOAD": json.dumps([str(preload)])}
    line = [*command(raw, folder / "cluster"), "--workers", str(workers)]
    kills = killed_workers(line, deadly, folder / "cluster", [scans // 4, scans // 2])
    first = judged(folder / "cluster", reference)
    line = [*command(raw, folder / "again"), "--workers", str(workers)]
    left = killed_client(line, deadly, folder / "again", scans // 3)
    between = len(digests(folder / "again"))
    again, _ = timed(line, deadly)
    second = judged(folder / "again", reference)
    return {
        "scans": scans,
        "workers": workers,
        "serial_seconds": seconds,
        "workers_killed": kills,
        "cluster": first,
        "client_killed": {"results_then": between, "workers_left_after_5_s": left, "rerun_seconds": again, **second},
    }


def write_cohort(root: Path, scans: int, sources: list[Path]) -> Path:
    """Write crops of scans as a BIDS data set; one is cut off."""
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "crops", "BIDSVersion": "1.10.0"}))
    images, chance = [nibabel.load(path) for path in sources], np.random.default_rng(0)
    arrays = [np.asarray(image.dataobj) for image in images]
    for number in range(1, scans + 1):
        image, name = images[number % len(images)], f"sub-{number:04d}"
        start = [
            int(chance.integers(0.2 * length, 0.7 * length - size))
            for length, size in zip(image.shape, SHAPE, strict=True)
        ]
        slices = tuple(slice(at, at + size) for at, size in zip(start, SHAPE, strict=True))
        path = root / name / "anat" / f"{name}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        voxels = arrays[number % len(images)][slices]
        nibabel.save(nibabel.Nifti1Image(voxels, image.affine, image.header), path)
        if name == CORRUPT:
            path.write_bytes(path.read_bytes()[:2000])
    return root


def command(raw: Path, output: Path) -> list[str]:
    """Return the command line of a cohort."""
    return [sys.executable, "-m", "sr_keras", "bids", str(raw), str(output), "participant"]


def timed(line: list[str], more: dict[str, str]) -> tuple[float, int]:
    """Return the seconds that a command takes, and its exit code."""
    start = time.monotonic()
    code = subprocess.run(line, env=os.environ | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    return round(time.monotonic() - start, 2), code


def killed_workers(line: list[str], more: dict[str, str], output: Path, moments: list[int]) -> int:
    """Run a command, and kill one of its workers when each number of scans is done."""
    kills = 0
    with subprocess.Popen(line, env=os.environ | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for moment in moments:
            wait_for(output, moment, process)
            for worker in workers_of(process.pid)[:1]:
                worker.kill()
                kills += 1
        process.wait()
    return kills


def killed_client(line: list[str], more: dict[str, str], output: Path, moment: int) -> int:
    """Run a command, kill it when a number of scans is done, and return how many of its workers outlive it."""
    with subprocess.Popen(line, env=os.environ | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(output, moment, process)
        workers = workers_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=5)
    return len(alive)


def wait_for(output: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a number of scans is done."""
    while process.poll() is None and sum(1 for entry in entries(output) if entry["state"] == "done") < count:
        time.sleep(0.1)


def workers_of(pid: int) -> list[psutil.Process]:
    """Return the processes that Dask started for its workers."""
    children = psutil.Process(pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def entries(output: Path) -> list[dict[str, Any]]:
    """Return the lines of the ledger that are whole."""
    path = output / "logs" / "ledger.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            # Cut off by the kill.
            continue
    return found


def judged(output: Path, reference: dict[str, str]) -> dict[str, Any]:
    """Return what the ledger says and how the results compare with those of one process."""
    found, lines = digests(output), entries(output)
    done = Counter(entry["scan"] for entry in lines if entry["state"] == "done")
    last = {entry["scan"]: entry for entry in lines}
    reasons = {
        name: f"{entry['state']}: {entry['reason']}" for name, entry in last.items() if entry["state"] in TROUBLE
    }
    return {
        "results": len(found),
        "equal_to_one_process": sum(found[name] == reference.get(name) for name in found),
        "done_twice": sum(count > 1 for count in done.values()),
        "set_aside_or_failed": reasons,
        "temporary_folders": len(list(output.rglob(".sr_keras-*"))),
    }


def digests(output: Path) -> dict[str, str]:
    """Return the hash of each result, of its bytes before compression."""
    paths = sorted(output.rglob("*.nii.gz"))
    done = [path for path in paths if ".sr_keras-" not in str(path)]
    return {path.name: hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() for path in done}


if __name__ == "__main__":
    main()
