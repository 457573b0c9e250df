"""Measure the intervals of `predict --uncertainty` on scans that neither networks nor estimators have seen.

    python benchmarks/uncertainty.py TRAINING_SCANS SCANS RESULT.json [--part fast_hw_x2]...

TRAINING_SCANS and SCANS are the folders `train` and `val` of the shared data. The scans are reduced by cubic
interpolation as in papers, and as scanners acquire them, with and without noise. Prints for each stage the share of the
voxels of tissue that lie in their intervals, half of the intervals' mean width, and the rank correlation of the width
with the error; the same for what else tells how far a result may be off, calibrated on the same scans. Parts that are
not measured keep their rows in RESULT.json. `uncertainty_table.py` writes what it finds where it is read.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from train_uncertainty import STAGES, calibration_scores, factors_of, upsampled_edges
from uncertainty_samples import CALIBRATE, Case, Sample, cropped, load_case, load_cases, make_sample
from uncertainty_table import dumped, kept_rows, table

from sr_keras.acquisition.description import Acquisition, Noise
from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS, THROUGH_PLANE_CASES
from sr_keras.acquisition.simulation import acquire
from sr_keras.engines import load_engine
from sr_keras.inference.conditions import Conditions
from sr_keras.inference.folders import find_scans
from sr_keras.inference.upscaler import Upscaler
from sr_keras.networks import output_factors
from sr_keras.uncertainty.conformal import edges_of
from sr_keras.uncertainty.estimator import estimator_of
from sr_keras.uncertainty.estimator import spread as spread_onto
from sr_keras.volumes.volume import Volume

Floats = npt.NDArray[np.float32]
Row = dict[str, Any]
Width = Callable[[Sample], Floats]
# Samples of each case, voxels that ranks are taken of, and the size of volumes that all axes of are upsampled.
SAMPLES, RANKED, SIZE = 1, 20_000, (32, 128, 128)
# Acquisitions of each scan that what does not ship is calibrated on.
ACQUISITIONS = 4
# The scale at which what does not ship is measured, too.
COMPARED = 2
# Options of `predict` that volumes are also upsampled with, and what they are in Python.
OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "--self-ensemble": {"self_ensemble": "mean"},
    "--noise reduce": {"conditions": Conditions(noise=0.5)},
    "--noise 0": {"conditions": Conditions(noise=0.0)},
}
# What is measured at once: a stage, or volumes at a scale with an option.
PARTS = (*STAGES, "x2", "x4", *(f"x2 {option}" for option in OPTIONS if option))
# Without a little everywhere, spreads and gradients near zero would need enormous factors: of normalised intensities.
FLOOR = 2e-3


def estimated(sample: Sample) -> Floats:
    """Return the half-widths that ship."""
    return spread_onto(estimator_of(sample.engine).run(sample.low), sample.truth.shape)


def spread(sample: Sample) -> Floats:
    """Return the spread of the self-ensemble."""
    return sample.spread() + np.float32(FLOOR)


def disagreement(sample: Sample) -> Floats:
    """Return how far the two orientations of the d stage are from their mean."""
    apart = np.zeros_like(sample.truth) if sample.apart is None else sample.apart
    return apart + np.float32(FLOOR)


def gradient(sample: Sample) -> Floats:
    """Return the gradient of the low-resolution slices."""
    rows, columns = output_factors(sample.engine.card.stage, sample.engine.card.scale)
    size = np.hypot(*np.gradient(sample.low, axis=(1, 2)))
    return size.repeat(rows, axis=1).repeat(columns, axis=2) + np.float32(FLOOR)


WIDTHS: dict[str, dict[str, Width]] = {
    "hw": {"estimator": estimated, "spread": spread, "gradient": gradient},
    "d": {"estimator": estimated, "disagreement": disagreement, "gradient": gradient},
}


def cases_of(stage: str, modality: str) -> dict[str, Acquisition]:
    """Return the acquisitions of the tables, and the first of a scanner without its noise."""
    names = (IN_PLANE_CASES if stage == "hw" else THROUGH_PLANE_CASES)[modality]
    clean = replace(PRESETS[names[1]], noise=Noise())
    return {name: PRESETS[name] for name in names} | {f"{names[1]}, clean": clean}


def calibrated(engine: Any, cases: list[Case]) -> dict[str, Width]:
    """Return what gives half-widths; what does not ship is calibrated as the estimators are."""
    if engine.card.scale != COMPARED:
        return {"estimator": estimated}
    # The one orientation of scans with thick slices disagrees with nothing.
    thin = [case for case in cases if case.thin or engine.card.stage == "hw"]
    others = {name: width for name, width in WIDTHS[engine.card.stage].items() if name != "estimator"}
    scores = calibration_scores(engine, thin, others, ACQUISITIONS)
    return {"estimator": estimated} | {name: _scaled(others[name], factors_of(scores[name])) for name in others}


def _scaled(width: Width, factors: Any) -> Width:
    def scaled(sample: Sample) -> Floats:
        rows, columns = output_factors(sample.engine.card.stage, sample.engine.card.scale)
        return width(sample) * factors.at(edges_of(sample.low)).repeat(rows, axis=1).repeat(columns, axis=2)

    return scaled


def whole_name(scale: int, option: str) -> str:
    """Return what volumes are called that all axes of are upsampled."""
    return f"fast x{scale} along all axes" + (f", {option}" if option else "")


def figures(errors: Floats, widths: Floats, tissue: Any, edges: Any) -> Row:
    """Return coverage, mean half-width and rank correlation in the tissue."""
    inside = errors <= widths
    chosen = np.random.default_rng(0).choice(errors[tissue].size, min(RANKED, errors[tissue].size), replace=False)
    return {
        "coverage": float(inside[tissue].mean()),
        "edges": float(inside[tissue & edges].mean()),
        "flat": float(inside[tissue & ~edges].mean()),
        "elsewhere": float(inside[~tissue].mean()) if (~tissue).any() else None,
        "width": float(widths[tissue].mean()),
        "error": float(errors[tissue].mean()),
        "rank": float(spearmanr(errors[tissue][chosen], widths[tissue][chosen]).statistic),
    }


def measured(case: Case, engine: Any, methods: dict[str, Width]) -> list[Row]:
    """Return the figures of each method on each acquisition of a scan."""
    rows = []
    for name, acquisition in cases_of(engine.card.stage, case.scan.modality).items():
        samples = [
            make_sample(case, engine, acquisition, np.random.default_rng((7, number))) for number in range(SAMPLES)
        ]
        row: Row = {"stage": engine.card.name, "scan": case.name, "case": name}
        for method, width in methods.items():
            parts = [
                (
                    sample.errors,
                    width(sample),
                    sample.tissue,
                    upsampled_edges(sample),
                )
                for sample in samples
            ]
            row[method] = figures(
                *(np.concatenate([each.ravel() for each in part]) for part in zip(*parts, strict=True))
            )
        rows.append(row)
    return rows


def measured_whole(case: Case, scale: int, option: str = "") -> list[Row]:
    """Return the figures of volumes that all axes of are upsampled, with an option of `predict`."""
    engines = [load_engine(f"fast_{stage}_x{scale}", "onnx", threads=1) for stage in ("hw", "d")]
    upscaler, rows = Upscaler(engines, uncertainty=True, **OPTIONS[option]), []
    through = cases_of("d", case.scan.modality)
    for (name, in_plane), profile in zip(cases_of("hw", case.scan.modality).items(), through.values(), strict=True):
        starts = [(length - size) // 2 for length, size in zip(case.scan.voxels.shape, SIZE, strict=True)]
        box = [slice(start, start + size) for start, size in zip(starts, SIZE, strict=True)]
        truth, tissue = case.scan.voxels[tuple(box)].astype(np.float32), case.scan.tissue[tuple(box)]
        acquisition = replace(in_plane, through_plane=profile.through_plane)
        units = {"data_range": 1.0, "hounsfield": 1.0 / case.data_range}
        low = acquire(truth, (scale,) * 3, acquisition, np.random.default_rng(7), **units)
        volume = Volume(np.maximum(low, 0), np.eye(4), "MR")
        job = upscaler.prepare(volume, (scale,) * 3, slice_axis=0)
        result, widths = job.collect_estimated()
        edges = edges_of(low)
        for axis in range(3):
            edges = edges.repeat(scale, axis=axis)
        found = figures(np.abs(truth - result.voxels), np.asarray(widths.voxels), tissue, edges)  # type: ignore[union-attr]
        rows.append({"stage": whole_name(scale, option), "scan": case.name, "case": name, "estimator": found})
    return rows


def rows_of(part: str, held_out: list[Case], calibrate: list[Case]) -> list[Row]:
    """Return the figures of a part."""
    if part not in STAGES:
        scale, _, option = part.partition(" ")
        return [row for case in held_out for row in measured_whole(case, int(scale[1:]), option)]
    engine = load_engine(part, "onnx", threads=1)
    methods = calibrated(engine, [cropped(case, engine.card.stage) for case in calibrate])
    return [row for case in held_out for row in measured(cropped(case, engine.card.stage), engine, methods)]


def main() -> None:
    """Measure, keep the figures, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training_scans", type=Path)
    parser.add_argument("scans", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--part", action="append", choices=PARTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        held_out = [load_case(path, Path(cache)) for path in find_scans([arguments.scans])]
        calibrate = load_cases(arguments.training_scans, CALIBRATE, Path(cache))
        for part in arguments.part or PARTS:
            found = rows_of(part, held_out, calibrate)
            rows = kept_rows(arguments.result, {row["stage"] for row in found}) + found
            names = [*STAGES, *(whole_name(scale, option) for option in OPTIONS for scale in (2, 4))]
            rows.sort(key=lambda row: names.index(row["stage"]))
            arguments.result.write_text(dumped(rows))
    sys.stdout.write(f"{table(rows)}\n")


if __name__ == "__main__":
    main()
