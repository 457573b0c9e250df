"""Train the estimators of uncertainty of shipped stages, calibrate them, and write their ONNX files.

    python benchmarks/train_uncertainty.py SCANS OUTPUT [--stage fast_hw_x2]... [--steps 2500] [--draws 60]

SCANS is a folder with the scans that `uncertainty_samples.py` names, OUTPUT the folder of the files,
`sr_keras/weights/uncertainty`. Takes about two minutes a stage on two cores.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import numpy.typing as npt
import onnx
from uncertainty_details import Details, with_details
from uncertainty_samples import CALIBRATE, LEARN, Case, Sample, cropped, drawn_cases, load_cases

from sr_keras.acquisition.description import Acquisition
from sr_keras.acquisition.mixture import draw_acquisition
from sr_keras.engines import load_engine
from sr_keras.networks import output_factors
from sr_keras.uncertainty import LEVEL
from sr_keras.uncertainty.conformal import Factors, calibrated_factor, edges_of
from sr_keras.uncertainty.network import RADIUS, build, quantile_loss
from sr_keras.uncertainty.onnx_file import onnx_model

STAGES = ("fast_hw_x2", "fast_hw_x4", "fast_d_x2", "fast_d_x4")
# Pixels of the tissue that are learned from in each sample without details; all of them weigh as much as all details.
PIXELS, BATCH, LEARNING_RATE = 1000, 256, 4e-3
# Acquisitions of each calibration scan: cubic reduction, and others drawn from the mixture.
ACQUISITIONS, SEED = 8, 19
Floats = npt.NDArray[np.float32]
Width = Callable[[Sample], Floats]
# Absolute errors over half-widths of a scan, by region: of the voxels of its tissue, this many of a sample, of the
# middles of its details, and of those of each group.
Scores = dict[str, dict[str, list[Floats]]]
REGIONS, VOXELS = ("edges", "flat"), 50_000


def windows_of(sample: Sample, where: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return what half-widths at some pixels of the ground truth depend on, (pixel, row, column, 1), and the absolute
    errors there, (pixel, 1, 1, 1).
    """
    low = _padded(sample)
    windows = np.lib.stride_tricks.sliding_window_view(low, (2 * RADIUS + 1, 2 * RADIUS + 1), axis=(1, 2))  # type: ignore[call-overload]
    numbers, rows, columns = (where // [1, *_factors(sample.engine)]).T
    return windows[numbers, rows, columns][..., None], sample.errors[tuple(where.T)][:, None, None, None]


def trained(engine: Any, cases: list[Case], draws: int, steps: int) -> Any:
    """Return the trained estimator of a stage, a Keras model."""
    keras.utils.set_random_seed(SEED)
    generator = np.random.default_rng(SEED)
    plain, detailed, heavy = [], [], []
    for number, (case, acquisition) in enumerate(drawn_cases(cases, draws, SEED)):
        for sample, details in with_details(case, engine, acquisition, (SEED, number)):
            if details is None:
                plain.append(windows_of(sample, generator.permutation(np.argwhere(sample.tissue))[:PIXELS]))
            else:
                detailed.append(windows_of(sample, details.where))
                heavy.append(details.weights)
    windows, errors = (np.concatenate(each) for each in zip(*plain, *detailed, strict=True))
    of_details, count = np.concatenate(heavy), sum(len(each) for each, _ in plain)
    weights = np.concatenate([np.full(count, len(of_details) / count), of_details / of_details.mean()])
    return _fitted(engine, windows, errors, weights.astype(np.float32), steps)


def _fitted(engine: Any, windows: Floats, errors: Floats, weights: Floats, steps: int) -> Any:
    network, middle = build(engine.card.stage, engine.card.scale), slice(RADIUS, RADIUS + 1)
    training = keras.Model(network.inputs, network.outputs[0][:, middle, middle])
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    training.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=quantile_loss)
    epochs = max(1, round(steps * BATCH / len(windows)))
    found = training.fit(windows, errors, BATCH, epochs, sample_weight=weights, verbose=0).history["loss"]
    sys.stdout.write(f"{engine.card.name}: loss {found[0]:.4f} -> {found[-1]:.4f}, {network.count_params()} weights\n")
    return network


def calibration_scores(
    engine: Any, cases: list[Case], widths: dict[str, Width], count: int = ACQUISITIONS
) -> dict[str, dict[str, Scores]]:
    """Return the absolute errors over half-widths, by what gives those and by scan: of each scan reduced by cubic
    interpolation and as scanners do it, with and without details.
    """
    scores: dict[str, dict[str, Scores]] = {name: {} for name in widths}
    for case in cases:
        for number in range(count):
            generator = np.random.default_rng((SEED, 1, number))
            drawn = draw_acquisition(case.scan.modality, generator) if number else Acquisition()
            for sample, details in with_details(case, engine, drawn, (SEED, 2, number)):
                edges = upsampled_edges(sample)
                for name, width in widths.items():
                    of_scan = scores[name].setdefault(case.name, {region: {} for region in REGIONS})
                    ratios = sample.errors / width(sample)
                    for region, inside in zip(REGIONS, (edges, ~edges), strict=True):
                        _add_scores(of_scan[region], sample, details, ratios, inside)
    return scores


def _add_scores(
    scores: dict[str, list[Floats]], sample: Sample, details: Details | None, ratios: Floats, region: Any
) -> None:
    """Add the scores of a region: in the tissue, or at all details and at those of each group."""
    if details is None:
        found = ratios[sample.tissue & region]
        scores.setdefault("voxels", []).append(found[:: max(1, len(found) // VOXELS)])
        return
    inside = region[tuple(details.where.T)]
    found, groups = ratios[tuple(details.where.T)][inside], details.groups[inside]
    scores.setdefault("details", []).append(found)
    for group in np.unique(groups):
        scores.setdefault(f"group {group}", []).append(found[groups == group])


def upsampled_edges(sample: Sample) -> npt.NDArray[np.bool_]:
    """Return which pixels of the ground truth lie on edges."""
    rows, columns = _factors(sample.engine)
    return edges_of(sample.low).repeat(rows, axis=1).repeat(columns, axis=2)


def _factors(engine: Any) -> tuple[int, int]:
    return output_factors(engine.card.stage, engine.card.scale)


def factors_of(scores: dict[str, Scores]) -> Factors:
    """Return the factors that calibrate half-widths, from the scores of each scan: the largest that the voxels of a
    scan ask for, the details of a scan, or a group of the details of all scans.
    """
    found = []
    for region in REGIONS:
        scans = [each[region] for each in scores.values()]
        cases = [np.concatenate(each[kind]) for each in scans for kind in ("voxels", "details") if kind in each]
        groups = {name for each in scans for name in each if name.startswith("group")}
        cases += [np.concatenate([part for each in scans for part in each.get(name, [])]) for name in sorted(groups)]
        found.append(calibrated_factor(cases))
    return Factors(*found)


def _predicted(network: Any, sample: Sample) -> Floats:
    rows, columns = _factors(sample.engine)
    half_widths = np.asarray(network(_padded(sample)[..., None]))[:, RADIUS:-RADIUS, RADIUS:-RADIUS, 0]
    return half_widths.repeat(rows, axis=1).repeat(columns, axis=2)


def _padded(sample: Sample) -> Floats:
    return np.pad(sample.low, ((0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)), "edge")


def main() -> None:
    """Train, calibrate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--stage", action="append", choices=STAGES)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--draws", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        scans = [load_cases(arguments.scans, names, Path(cache)) for names in (LEARN, CALIBRATE)]
        for name in arguments.stage or STAGES:
            engine = load_engine(name, "onnx", threads=1)
            learn, calibrate = ([cropped(case, engine.card.stage) for case in cases] for cases in scans)
            network = trained(engine, learn, arguments.draws, arguments.steps)
            scores = calibration_scores(engine, calibrate, {name: partial(_predicted, network)})[name]
            factors = factors_of(scores)
            sys.stdout.write(f"  factors {factors}\n")
            record = {
                "level": LEVEL,
                "stage": name,
                "stage_sha256": engine.card.weights_sha256,
                "learned_on": list(LEARN),
                "calibrated_on": list(CALIBRATE),
                "factors": {"edges": factors.edges, "flat": factors.flat},
            }
            model = onnx_model(network, factors, record)
            onnx.save(model, arguments.output / f"{name}.onnx")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
