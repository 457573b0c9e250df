"""Measure whole jobs on a CT that is made for it: peak memory, growth with the voxels, and what streaming costs.

    python benchmarks/whole_scan.py RESULT.json [--shape 512x512x300] [--slices 75,150,300] [--memory 2G]
        [--repeats 3] [--model NAME]...

Every job is a command in a fresh process. The bare engines run whole slices of the same sizes, some of them and counted
up, and nothing else: no reading, no geometry, no writing. A machine's speed drifts within minutes, so they run before
and after each job that is compared with them, and the job's time is divided by the mean of the two.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
from synthetic_ct import write_ct

from sr_keras.engines import load_engine
from sr_keras.inference.timing import load
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.machine import describe_machine
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages
from sr_keras.resources import format_bytes, parse_bytes
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.volume import format_shape

FACTORS = (2, 2, 2)
# What a job may take beyond its output, in bytes.
ALLOWANCE = 1_500_000_000
# What a job with --memory may take at most, as a multiple of it.
BEYOND_LIMIT = 1.1
# Every engine's slices are run this many times at most to know the time of one.
BARE_SLICES = 128


def run_job(scan: Path, output: Path, options: list[str]) -> dict[str, Any]:
    """Run a job in a process of its own; return its seconds, those of all cores, and its peak of resident memory."""
    command = [sys.executable, "-m", "sr_keras", "predict", str(scan), "-o", str(output), "--force", *options]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    seconds, processor = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "processor_seconds": processor, "peak_bytes": usage.ru_maxrss * 1024}


def bare_seconds(scan: Path, models: list[str]) -> float:
    """Return the seconds that the engines alone take for the slices of a job, from a sample of them.

    Each is loaded and warm, and runs the batches of the plan on a slice of the scan.
    """
    volume = read_volume(scan)
    low = np.maximum(normalization_of(volume).apply(volume.voxels[:, :, volume.shape[2] // 2]), 0)
    upscaler = Upscaler([load_engine(name) for name in models])
    seconds = 0.0
    for each in upscaler.prepare(volume, FACTORS).plan.passes:
        stage = (each.step.stage, each.step.scale)
        engine = next(e for e in upscaler.engines if (e.card.stage, e.card.scale) == stage)
        load(engine)
        for count, height, width in each.stacks:
            images = np.resize(low, (each.batch, height, width))
            engine.run(images)
            runs = max(1, min(count, BARE_SLICES) // each.batch)
            start = time.perf_counter()
            for _ in range(runs):
                engine.run(images)
            seconds += (time.perf_counter() - start) / (runs * each.batch) * count
    return seconds


def bare_in_process(scan: Path, models: list[str]) -> float:
    """Measure the bare engines in a process of their own."""
    command = [sys.executable, __file__, "--bare", str(scan), *models]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run everything in turn, as often as asked, and return all samples."""
    shape = tuple(int(length) for length in arguments.shape.split("x"))
    slices = [int(count) for count in arguments.slices.split(",")]
    models = arguments.model or list(choose_stages(shipped_stages()))
    options = [option for model in models for option in ("--model", model)]
    report: dict[str, Any] = {"shape": list(shape), "models": models, "memory_limit": arguments.memory}
    samples: dict[str, list[dict[str, Any]]] = {}
    with TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        scan = write_ct(folder / "ct.nii", shape)
        sizes = {count: write_ct(folder / f"ct{count}.nii", (*shape[:2], count)) for count in slices}
        compressed = folder / "ct.nii.gz"
        nibabel.save(nibabel.load(scan), compressed)
        jobs = {
            ".nii": (scan, folder / "out.nii", []),
            ".nii.gz": (compressed, folder / "out.nii.gz", []),
            f"--memory {arguments.memory}": (scan, folder / "out.nii", ["--memory", arguments.memory]),
        }
        grown = {f"{count} slices": (path, folder / "out.nii", []) for count, path in sizes.items()}
        # What is measured once and kept is measured now.
        for path in (scan, *sizes.values()):
            dry = [sys.executable, "-m", "sr_keras", "predict", str(path), "-o", str(folder / "x.nii"), "--dry-run"]
            subprocess.run([*dry, *options], stdout=subprocess.DEVNULL, check=True)
        for _ in range(arguments.repeats):
            before = bare_in_process(scan, models)
            for label, (path, output, extra) in (jobs | grown).items():
                sample = run_job(path, output, [*extra, *options])
                output.unlink()
                if label in jobs:
                    after = bare_in_process(scan, models)
                    sample["bare_seconds"] = [before, after]
                    before = after
                samples.setdefault(label, []).append(sample)
    return report | {"machine": describe_machine(), "samples": samples}


def print_table(report: dict[str, Any]) -> None:
    """Print medians, ratios and bounds."""
    shape, samples = report["shape"], report["samples"]
    bare = [seconds for runs in samples.values() for run in runs for seconds in run.get("bare_seconds", [])]
    output = 2 * int(np.prod([length * factor for length, factor in zip(shape, FACTORS, strict=True)]))
    print_line(
        f"{format_shape(tuple(shape))} x2, an output of {format_bytes(output)}; bare engines {median(bare):.1f} s"
    )
    print_line("| job | median s | times bare | us/voxel | peak memory | bound |\n|---|---|---|---|---|---|")
    for label, runs in samples.items():
        seconds, peak = median(run["seconds"] for run in runs), max(run["peak_bytes"] for run in runs)
        count = int(label.split()[0]) if label.endswith("slices") else shape[2]
        ratios = [run["seconds"] / mean(run["bare_seconds"]) for run in runs if "bare_seconds" in run]
        ratio = f"{median(ratios):.2f}" if ratios else ""
        limited = label.startswith("--memory")
        bound = BEYOND_LIMIT * parse_bytes(report["memory_limit"]) if limited else output * count / shape[2] + ALLOWANCE
        voxels = shape[0] * shape[1] * count
        print_line(
            f"| {label} | {seconds:.1f} | {ratio} | {1e6 * seconds / voxels:.2f} | {format_bytes(peak)} "
            f"| {format_bytes(bound)}: {'kept' if peak < bound else 'MISSED'} |"
        )


def print_line(line: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Measure, keep every sample, print the table."""
    if sys.argv[1:2] == ["--bare"]:
        print_line(str(bare_seconds(Path(sys.argv[2]), sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description="Measure whole jobs.")
    parser.add_argument("result", type=Path)
    parser.add_argument("--shape", default="512x512x300")
    parser.add_argument("--slices", default="75,150,300")
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", action="append")
    parser.add_argument("--folder", type=Path, help="where scans and outputs lie meanwhile")
    arguments = parser.parse_args()
    report = measure(arguments)
    arguments.result.write_text(json.dumps(report, indent=1) + "\n")
    print_table(report)


if __name__ == "__main__":
    main()
