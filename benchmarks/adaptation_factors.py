"""Factors that no stage ships for: a d stage made for the factor and adapted to it, beside x4 and resampling.

    python benchmarks/adaptation_factors.py RESULT.json SCAN_OR_FOLDER... [--factor N]... [--steps N]

Each scan is reduced through plane by the factor, with the profile of its modality, without added noise. Prints the
PSNR of: cubic interpolation; the shipped x4 stage, then cubic resampling; the x4 stage adapted, then resampling; a
stage of the factor whose last layer is interpolated from that of the x4 stage; and the same, adapted. The profile is
known. Results that are in RESULT.json already are not computed again.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
from acquisitions import load
from adaptation import Row, measured, reduced, run

from sr_keras.adaptation.adapter import FactorEngine
from sr_keras.adaptation.adapting import Settings, adapt
from sr_keras.adaptation.stage import engine_of
from sr_keras.engines import KerasEngine
from sr_keras.inference.folders import find_scans
from sr_keras.models.stages import find_stage
from sr_keras.volumes.resampling import resample_axis

CASES = {"MR": "mri_slice_gaussian_1", "CT": "ct_slice_raised_cosine_10"}
PROFILES = {"MR": "gaussian", "CT": "raised_cosine"}
METHODS = ("cubic", "x4, resampled", "x4 adapted, resampled", "own factor", "own factor, adapted")


def compared(path: Path, factor: int, steps: int) -> Row:
    """Return the PSNR of each method for a scan and a factor."""
    scan, stage = load(path), find_stage("fast_d_x4")
    volume, truth, shown = reduced(scan, CASES[scan.modality], factor, noise=False)
    settings = Settings(steps, volume.spacing[0], PROFILES[scan.modality])

    def resampled(upsampled: np.ndarray) -> np.ndarray:
        return resample_axis(np.asarray(upsampled, np.float32), 0, len(truth), len(upsampled) / len(truth))

    by_four, own = (adapt(stage, [(volume, 0)], scale, settings).stage for scale in (4, factor))
    results = (
        resampled(volume.voxels),
        resampled(run(KerasEngine(stage), volume, 4)),
        resampled(run(engine_of(by_four) if by_four else KerasEngine(stage), volume, 4)),
        run(FactorEngine(stage, factor), volume, factor),
        run(engine_of(own) if own else FactorEngine(stage, factor), volume, factor),
    )
    levels = {name: measured(each, truth, shown, scan)[0] for name, each in zip(METHODS, results, strict=True)}
    return {"scan": scan.name, "factor": factor, "steps": steps, **levels}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--factor", type=int, action="append")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    rows: list[Row] = json.loads(arguments.result.read_text()) if arguments.result.exists() else []
    done = {(row["scan"], row["factor"], row["steps"]) for row in rows}
    for path in find_scans(arguments.scans):
        for factor in arguments.factor or [3, 5, 6]:
            if (path.name.split(".")[0], factor, arguments.steps) in done:
                continue
            rows.append(compared(path, factor, arguments.steps))
            arguments.result.write_text(json.dumps(rows, indent=1) + "\n")
    lines = ["| scan | factor | " + " | ".join(METHODS) + " |", "|---" * (2 + len(METHODS)) + "|"]
    lines += [
        f"| {row['scan']} | {row['factor']} | " + " | ".join(f"{row[name]:.2f}" for name in METHODS) + " |"
        for row in rows
    ]
    lines.append("| **mean** | | " + " | ".join(f"{fmean(row[name] for row in rows):.2f}" for name in METHODS) + " |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
