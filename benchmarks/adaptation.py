"""Adapt d stages to scans that were reduced through plane, and compare with the stages as they are.

    python benchmarks/adaptation.py RESULT.json SCAN_OR_FOLDER... [--scale N]... [--model NAME_OR_RUN] [--steps N]
        [--cases N] [--noise-free]

Each scan is reduced as the cases of `sr_keras.acquisition.presets` say, and stages adapt to that. Prints, over the
slices with tissue, the gain of the adapted stage over the blind one with the slice profile known (its shape and
thickness are given) and estimated (nothing is given), and the seconds to adapt; then the median width in mm of real
edges through plane (cubic interpolation, blind, adapted) and, beside it, in-plane. Results that are in RESULT.json
already are not computed again.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from acquisitions import Scan, load, mean_psnr

from sr_keras.acquisition.description import Noise
from sr_keras.acquisition.presets import PRESETS, THROUGH_PLANE_CASES
from sr_keras.acquisition.simulation import acquire
from sr_keras.adaptation.adapting import Settings, adapt
from sr_keras.adaptation.files import shipped_start
from sr_keras.adaptation.stage import engine_of
from sr_keras.adaptation.start import folded_for
from sr_keras.engines import Engine, load_engine
from sr_keras.inference.folders import find_scans
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.stages import TrainedStage, find_stage
from sr_keras.volumes.normalization import tissue_slices
from sr_keras.volumes.resampling import resample_axis
from sr_keras.volumes.volume import Volume

Row = dict[str, Any]
# HU of CT that normalised intensities begin at.
FLOOR = -1024.0
# Least height of an edge, normalised.
EDGE = 0.2


def reduced(scan: Scan, case: str, scale: int, *, noise: bool) -> tuple[Volume, np.ndarray, np.ndarray]:
    """Return the reduced scan in its own units, the ground truth in them, and the slices with tissue."""
    whole = scan.voxels[: len(scan.voxels) // scale * scale]
    acquisition = PRESETS[case] if noise else replace(PRESETS[case], noise=Noise())
    units = {"data_range": 1.0, "hounsfield": 1.0 / scan.data_range}
    low = acquire(whole, (scale, 1, 1), acquisition, np.random.default_rng(0), **units)
    floor = FLOOR if scan.modality == "CT" else 0.0
    affine = np.diag([scan.spacing[0] * scale, *scan.spacing[1:], 1.0])
    volume = Volume(low * scan.data_range + floor, affine, scan.modality, source=f"{scan.name} {case}")
    return volume, whole * scan.data_range + floor, tissue_slices(scan.tissue[: len(whole)], 0)


def measured(result: np.ndarray, truth: np.ndarray, shown: np.ndarray, scan: Scan) -> tuple[float, float]:
    """Return the mean PSNR over slices with tissue in dB, and the width of through-plane edges in mm."""
    psnr = mean_psnr(truth[shown] / scan.data_range, result[shown] / scan.data_range)
    return psnr, edge_width(result, 0, scan.spacing[0], scan.data_range)


def run(engine: Engine, volume: Volume, scale: int) -> np.ndarray:
    """Return the voxels of a super-resolved scan."""
    return np.asarray(Upscaler([engine]).upscale(volume, (scale, 1, 1), slice_axis=0).voxels)


def edge_width(voxels: np.ndarray, axis: int, spacing: float, data_range: float) -> float:
    """Return the median width of edges along an axis in mm: the height of a monotonous run over its steepest step."""
    lines = np.moveaxis(voxels, axis, -1)
    steps = np.diff(lines, axis=-1)
    signs = np.sign(steps)
    begins = np.ones(signs.shape, bool)
    begins[..., 1:] = signs[..., 1:] != signs[..., :-1]
    starts = np.flatnonzero(begins)
    magnitudes = np.abs(steps).ravel()
    heights, steepest = np.add.reduceat(magnitudes, starts), np.maximum.reduceat(magnitudes, starts)
    edges = heights > EDGE * data_range
    return float(np.median(heights[edges] / steepest[edges])) * spacing if edges.any() else float("nan")


def row_of(scan: Scan, case: str, scale: int, stage: TrainedStage, steps: int, *, noise: bool) -> Row:
    """Return what a row is known by."""
    names = {"scan": scan.name, "case": case, "scale": scale, "noise": noise, "model": stage.name, "steps": steps}
    return {**names, "weights": stage.card.weights_sha256[:8]}


def compared(scan: Scan, case: str, scale: int, stage: TrainedStage, steps: int, *, noise: bool) -> Row:
    """Return the levels of the blind and the adapted stage for one case of a scan."""
    volume, truth, shown = reduced(scan, case, scale, noise=noise)
    through = PRESETS[case].through_plane
    blind = load_engine(stage.name)
    row = row_of(scan, case, scale, stage, steps, noise=noise)
    row["blind"], row["blind_edge"] = measured(run(blind, volume, scale), truth, shown, scan)
    cubic = resample_axis(volume.voxels.astype(np.float32), 0, len(truth), 1 / scale)
    row["cubic"], row["cubic_edge"] = measured(cubic, truth, shown, scan)
    row["truth_edge"] = edge_width(truth, 0, scan.spacing[0], scan.data_range)
    row["in_plane_edge"] = fmean(edge_width(truth, axis, scan.spacing[axis], scan.data_range) for axis in (1, 2))
    known = Settings(steps, through.thickness * volume.spacing[0], through.profile)
    for name, settings in {"known": known, "estimated": Settings(steps)}.items():
        start = time.perf_counter()
        outcome = adapt(folded_for(stage, volume, 0, settings.noise_kept), [(volume, 0)], scale, settings)
        row[f"{name}_seconds"] = time.perf_counter() - start
        row[f"{name}_held_out"] = outcome.gain
        row[f"{name}_thickness"] = outcome.record["scans"]["1"]["slice_thickness_mm"] / volume.spacing[0]
        engine = engine_of(outcome.stage) if outcome.stage else blind
        psnr, row[f"{name}_edge"] = measured(run(engine, volume, scale), truth, shown, scan)
        row[name] = psnr - row["blind"]
    return row


def table(rows: list[Row]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| scan | case | noise | scale | blind, dB | profile known | estimated | thickness taken | held out | s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = (
            f"{row['blind']:.2f} | {row['known']:+.2f} | {row['estimated']:+.2f} | {row['estimated_thickness']:.2f} | "
            f"{row['known_held_out']:+.2f} | {row['known_seconds']:.0f}"
        )
        noise = "yes" if row["noise"] else "no"
        lines.append(f"| {row['scan']} | {row['case']} | {noise} | {row['scale']} | {figures} |")
    for noise in sorted({row["noise"] for row in rows}):
        for scale in sorted({row["scale"] for row in rows}):
            chosen = [row for row in rows if (row["noise"], row["scale"]) == (noise, scale)]
            if chosen:
                means = " | ".join(f"{fmean(row[name] for row in chosen):+.2f}" for name in ("known", "estimated"))
                worst = " / ".join(f"{min(row[name] for row in chosen):+.2f}" for name in ("known", "estimated"))
                said = "yes" if noise else "no"
                lines.append(f"| **mean** of {len(chosen)} | worst {worst} | {said} | {scale} | | {means} | | | |")
    return "\n".join(lines)


def edge_table(rows: list[Row]) -> str:
    """Return the widths of edges as a table in Markdown."""
    names = ("cubic", "blind", "known", "estimated", "truth", "in_plane")
    columns = "scan | case | noise | scale | cubic | blind | known | estimated | ground truth | in-plane"
    lines = [f"| {columns} |", "|---" * 10 + "|"]
    for row in rows:
        noise, widths = "yes" if row["noise"] else "no", " | ".join(f"{row[f'{name}_edge']:.2f}" for name in names)
        lines.append(f"| {row['scan']} | {row['case']} | {noise} | {row['scale']} | {widths} |")
    return "\n".join(lines)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--scale", type=int, action="append")
    parser.add_argument("--model")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--cases", type=int, help="Only the first so many of each modality.")
    parser.add_argument("--noise-free", action="store_true")
    arguments = parser.parse_args()
    rows: list[Row] = json.loads(arguments.result.read_text()) if arguments.result.exists() else []
    done = [set(row.items()) for row in rows]
    for path in find_scans(arguments.scans):
        scan = load(path)
        for scale in arguments.scale or [2, 4]:
            stage = find_stage(arguments.model) if arguments.model else shipped_start("fast", scale)
            for case in THROUGH_PLANE_CASES[scan.modality][1:][: arguments.cases]:
                options = {"noise": not arguments.noise_free}
                key = set(row_of(scan, case, scale, stage, arguments.steps, **options).items())
                if any(key <= each for each in done):
                    continue
                rows.append(compared(scan, case, scale, stage, arguments.steps, **options))
                arguments.result.write_text(json.dumps(rows, indent=1) + "\n")
                sys.stderr.write(table(rows[-1:]).splitlines()[2] + "\n")
    sys.stdout.write(table(rows) + "\n\n" + edge_table(rows) + "\n")


if __name__ == "__main__":
    main()
