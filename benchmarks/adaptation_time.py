"""How long it takes to adapt to a scan, beside super-resolving it, and the most memory of each.

    python benchmarks/adaptation_time.py RESULT.json SCAN [--scale 4] [--slices 40] [--steps N]... [--memory 2G]

The slices of the scan are averaged by the scale, and so many of them kept from its middle. Each run is a process of its
own: `sr-keras predict` as it ships, with `--adapt` at each number of steps, and `sr-keras adapt`, which makes the stage
only. Seconds by the clock and of processors include the start of Python and of Keras.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np

from sr_keras.machine import describe_machine
from sr_keras.volumes.geometry import rescaled_affine, through_plane_axis

COLUMNS = ("seconds", "processor_seconds", "memory_mb")


def thick_scan(source: Path, target: Path, scale: int, slices: int) -> tuple[int, ...]:
    """Write a scan with thick slices, and return its shape."""
    image: Any = nibabel.load(source)
    axis = through_plane_axis(image.header.get_zooms()[:3])
    voxels = np.moveaxis(np.asarray(image.dataobj, np.float32), axis, -1)
    start = max(0, (voxels.shape[-1] - scale * slices) // 2)
    kept = voxels[..., start : start + scale * slices]
    kept = kept[..., : kept.shape[-1] // scale * scale]
    thick = kept.reshape(*kept.shape[:2], -1, scale).mean(axis=-1)
    factors = [scale if each == axis else 1 for each in range(3)]
    voxels = np.moveaxis(np.rint(thick), -1, axis).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, rescaled_affine(image.affine, factors)), target)
    return tuple(voxels.shape)


def measured(*arguments: object) -> dict[str, float]:
    """Run the program, and return what it took."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sr_keras", *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: sr-keras {arguments[0]}")
    figures = (time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)
    return {name: round(value, 1) for name, value in zip(COLUMNS, figures, strict=True)}


def compared(scan: Path, scale: int, steps: list[int], memory: str, folder: Path) -> dict[str, dict[str, float]]:
    """Return what each run took."""
    axis = through_plane_axis(nibabel.load(scan).header.get_zooms()[:3])
    factors = "x".join(str(scale if each == axis else 1) for each in range(3))
    predict = ("predict", scan, "-o", folder / "out.nii.gz", "--scale", factors, "--memory", memory, "--force")
    runs = {"predict": measured(*predict)}
    for each in steps:
        runs[f"predict --adapt, {each} steps"] = measured(*predict, "--adapt", "--adapt-steps", each)
    adapt = ("adapt", scan, "-o", folder / "stage", "--scale", scale, "--memory", memory, "--adapt-steps", steps[-1])
    return {**runs, f"adapt, {steps[-1]} steps": measured(*adapt)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--steps", type=int, action="append")
    parser.add_argument("--memory", default="2G")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        scan = Path(name) / "scan.nii.gz"
        shape = thick_scan(arguments.scan, scan, arguments.scale, arguments.slices)
        runs = compared(scan, arguments.scale, arguments.steps or [100, 200], arguments.memory, Path(name))
    options = {"shape": shape, "scale": arguments.scale, "memory": arguments.memory}
    record = {"machine": describe_machine(), **options, "runs": runs}
    arguments.result.write_text(json.dumps(record, indent=1) + "\n")
    lines = ["| run | s | s of processor | MB |", "|---|---|---|---|"]
    lines += [f"| {run} | {' | '.join(str(figures[each]) for each in COLUMNS)} |" for run, figures in runs.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
