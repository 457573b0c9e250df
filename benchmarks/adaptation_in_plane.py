"""Adapt the in-plane stage to a scan reduced once more in-plane, and compare with the stage as it is.

    python benchmarks/adaptation_in_plane.py RESULT.json SCAN_OR_FOLDER... [--steps N]... [--crop N]

There are no pairs at a scan's own resolution, but the scan and what becomes of it when it is reduced again are a task
of the same kind: A. Shocher, N. Cohen, M. Irani, "'Zero-Shot' Super-Resolution Using Deep Internal Learning", CVPR
2018, DOI 10.1109/CVPR.2018.00329. Slices are reduced as the cases of `sr_keras.acquisition.presets` say, without noise,
and reduced again in the same way: the acquisition is known, which is more than a user has. Prints the PSNR of the
`fast` hw x2 stage, folded for the scan, and what training on the pairs adds to it on the ground truth.
"""

import argparse
import json
import sys
from dataclasses import replace
from math import cos, pi
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from acquisitions import Scan, load, mean_psnr
from adaptation import Row

from sr_keras.acquisition.description import Noise
from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS
from sr_keras.acquisition.simulation import acquire
from sr_keras.framework import load_keras
from sr_keras.inference.conditions import Conditions
from sr_keras.inference.folders import find_scans
from sr_keras.inference.planning import Step
from sr_keras.models.stages import find_stage
from sr_keras.volumes.normalization import evenly, tissue_slices
from sr_keras.volumes.volume import Volume

SLICES, BATCH, PATCH, RATE = 12, 32, 24, 1e-3
Floats = np.ndarray


def cropped(scan: Scan, size: int) -> Scan:
    """Return the middle of a scan's slices."""
    starts = [max(0, (length - size) // 2) for length in scan.voxels.shape[1:]]
    box = (slice(None), *(slice(start, start + size) for start in starts))
    return replace(scan, voxels=np.ascontiguousarray(scan.voxels[box]), tissue=np.ascontiguousarray(scan.tissue[box]))


def reduced(stack: Floats, case: str) -> Floats:
    """Return slices of half the size, without noise."""
    acquisition = replace(PRESETS[case], noise=Noise())
    return acquire(stack, (1, 2, 2), acquisition, np.random.default_rng(0), data_range=1.0)


def network_for(low: Floats) -> Any:
    """Return the shipped stage, folded for slices, as a Keras model of its result."""
    volume = Volume(low, np.eye(4), "MR")
    stage = find_stage("fast_hw_x2")
    network = stage.for_scan(Conditions().description(volume, Step("hw", 2, (1, 2)))).network
    keras = load_keras()
    model = keras.Model(network.input, network.output["final"])
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="mean_squared_error")
    return model


def patches(low: Floats, target: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Return a batch of patches and their targets."""
    places = generator.integers(0, [len(low), *(length - PATCH + 1 for length in low.shape[1:])], (BATCH, 3))
    ones = [low[index, row : row + PATCH, column : column + PATCH] for index, row, column in places]
    others = [
        target[index, 2 * row : 2 * (row + PATCH), 2 * column : 2 * (column + PATCH)] for index, row, column in places
    ]
    return np.stack(ones)[..., None], np.stack(others)[..., None]


def trained(model: Any, low: Floats, target: Floats, steps: int) -> None:
    """Train a model on patches of slices, at a rate that falls to zero along a cosine."""
    generator = np.random.default_rng(0)
    for step in range(steps):
        model.optimizer.learning_rate = RATE * 0.5 * (1.0 + cos(pi * step / steps))
        model.train_on_batch(*patches(low, target, generator))


def compared(scan: Scan, case: str, steps: list[int]) -> Row:
    """Return the PSNR of the stage as it is, and the gain after each number of steps, dB."""
    shown = evenly(tissue_slices(scan.tissue, 0), SLICES)
    truth = scan.voxels[shown][:, : scan.voxels.shape[1] // 4 * 4, : scan.voxels.shape[2] // 4 * 4]
    low = reduced(truth, case)
    lower = reduced(low, case)

    def level(model: Any) -> float:
        return mean_psnr(truth, np.asarray(model.predict_on_batch(low[..., None]))[..., 0])

    blind = level(network_for(low))
    gains = {}
    for count in steps:
        model = network_for(low)
        trained(model, lower, low, count)
        gains[str(count)] = level(model) - blind
    return {"scan": scan.name, "case": case, "blind": blind, "gains": gains}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, action="append")
    parser.add_argument("--crop", type=int, default=192)
    arguments = parser.parse_args()
    steps, rows = arguments.steps or [50, 200], []
    for path in find_scans(arguments.scans):
        scan = cropped(load(path), arguments.crop)
        # Without noise, some cases are one.
        cases = {replace(PRESETS[case], noise=Noise()): case for case in reversed(IN_PLANE_CASES[scan.modality][1:])}
        for case in reversed(cases.values()):
            rows.append(compared(scan, case, steps))
            arguments.result.write_text(json.dumps(rows, indent=1) + "\n")
    lines = ["| scan | case | blind, dB | " + " | ".join(f"{count} steps" for count in steps) + " |"]
    lines.append("|---" * (3 + len(steps)) + "|")
    for row in rows:
        gains = " | ".join(f"{row['gains'][str(count)]:+.2f}" for count in steps)
        lines.append(f"| {row['scan']} | {row['case']} | {row['blind']:.2f} | {gains} |")
    means = " | ".join(f"{fmean(row['gains'][str(count)] for row in rows):+.2f}" for count in steps)
    sys.stdout.write("\n".join([*lines, f"| **mean** | | | {means} |"]) + "\n")


if __name__ == "__main__":
    main()
