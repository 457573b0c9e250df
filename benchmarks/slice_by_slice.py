"""Compare a whole `predict` with the paper's method, slice by slice in TensorFlow, in one run.

    python benchmarks/slice_by_slice.py RESULT.json [--shape 256x256x64 | --scan SCAN] [--repeats 3]

The paper runs the hw stage first, one whole slice at a time through a graph, then the d stage in both orientations on
the large volume, all in float32 in memory. Each method runs in a new process, from input file to output file. The
script compares the paper's method with `predict` on the same networks and with the default of `predict`.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from synthetic_ct import write_ct

from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.machine import describe_machine
from sr_keras.models.registry import DEFAULT_FAMILY
from sr_keras.models.stages import find_stage
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.normalization import normalization_of

REFERENCE = ("georgescu2020_hw_x2", "georgescu2020_d_x2")
BASELINE, SAME, DEFAULT = "TensorFlow, slice by slice", "sr_keras, the same networks", "sr_keras, its default"
FACTOR = 2


def slice_by_slice(scan: Path, output: Path) -> None:
    """Super-resolve a scan as the paper's code does it."""
    import tensorflow as tf

    volume = read_volume(scan)
    normalization = normalization_of(volume)
    hw, d = (find_stage(name).network for name in REFERENCE)

    def run(network: Any, images: np.ndarray) -> np.ndarray:
        graph = tf.function(network, reduce_retracing=True)
        return np.stack([graph(tf.constant(image[None, ..., None]))["final"].numpy()[0, ..., 0] for image in images])

    low = np.maximum(normalization.apply(volume.voxels), 0)
    wide = run(hw, low.transpose(2, 0, 1)).transpose(1, 2, 0)
    across_i, across_j = run(d, wide), run(d, wide.transpose(1, 0, 2)).transpose(1, 0, 2)
    voxels = normalization.invert((across_i + across_j) / 2)
    affine = rescaled_affine(volume.affine, (1 / FACTOR,) * 3)
    write_volume(volume.with_voxels(voxels, affine), output, like=volume)


def seconds_of(command: list[str]) -> float:
    """Return the seconds that a process takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - start


def predict(scan: Path, output: Path, models: list[str], *options: str) -> list[str]:
    """Return the arguments of a `predict` command."""
    named = [option for model in models for option in ("--model", model)]
    return ["-m", "sr_keras", "predict", str(scan), "-o", str(output), "--force", *named, *options]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all methods in turn, in each repeat, and return the seconds of each."""
    seconds: dict[str, list[float]] = {BASELINE: [], SAME: [], DEFAULT: []}
    with TemporaryDirectory() as name:
        made = tuple(int(length) for length in arguments.shape.split("x"))
        scan = arguments.scan or write_ct(Path(name) / "ct.nii", made)
        shape, output = read_volume(scan).shape, Path(name) / "out.nii"
        ways = {
            BASELINE: [__file__, "--slices", str(scan), str(output)],
            SAME: predict(scan, output, list(REFERENCE)),
            DEFAULT: predict(scan, output, []),
        }
        # Fill the cache of timings first.
        for models in (list(REFERENCE), []):
            seconds_of(predict(scan, output, models, "--dry-run"))
        for _ in range(arguments.repeats):
            for way, command in ways.items():
                seconds[way].append(seconds_of(command))
    what = {"scan": arguments.scan.name if arguments.scan else "synthetic", "shape": list(shape)}
    return what | {"default": DEFAULT_FAMILY, "machine": describe_machine(), "seconds": seconds}


def main() -> None:
    """Measure, store all samples, print the medians and their ratios."""
    if sys.argv[1:2] == ["--slices"]:
        slice_by_slice(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description="Compare with prediction slice by slice.")
    parser.add_argument("result", type=Path)
    parser.add_argument("--shape", default="256x256x64", help="shape of a synthetic CT")
    parser.add_argument("--scan", type=Path, help="real scan to use instead")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    report = measure(arguments)
    arguments.result.write_text(json.dumps(report, indent=1) + "\n")
    shape = "x".join(map(str, report["shape"]))
    sys.stdout.write(f"| {shape} voxels, x2 along each axis | median s | times faster |\n|---|---|---|\n")
    for way, samples in report["seconds"].items():
        ratio = median(report["seconds"][BASELINE]) / median(samples)
        sys.stdout.write(f"| {way} | {median(samples):.1f} | {ratio:.2f} |\n")


if __name__ == "__main__":
    main()
