"""Train the estimators of uncertainty of shipped stages, calibrate them, and write their ONNX files.

    python benchmarks/train_uncertainty.py SCANS OUTPUT [--stage fast_hw_x2]... [--steps 800] [--draws 80]

SCANS is a folder with the scans that `uncertainty_samples.py` names, OUTPUT the folder of the files,
`sr_keras/weights/uncertainty`. Takes about two minutes a stage on two cores.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import numpy.typing as npt
import onnx
from uncertainty_samples import CALIBRATE, LEARN, Case, Sample, drawn_samples, load_cases, make_sample

from sr_keras.acquisition.description import Acquisition
from sr_keras.acquisition.mixture import draw_acquisition
from sr_keras.engines import load_engine
from sr_keras.networks import output_factors
from sr_keras.uncertainty import LEVEL
from sr_keras.uncertainty.conformal import Factors, calibrated_factor, edges_of
from sr_keras.uncertainty.network import build, quantile_loss
from sr_keras.uncertainty.onnx_file import onnx_model

STAGES = ("fast_hw_x2", "fast_hw_x4", "fast_d_x2", "fast_d_x4")
# Height and width of low-resolution patches, by stage, and patches from each sample.
PATCH = {"hw": (40, 40), "d": (40, 16)}
PATCHES, BATCH, LEARNING_RATE = 24, 32, 3e-3
# Patches with a smaller share of tissue are drawn again, at most this often.
TISSUE, ATTEMPTS = 0.3, 10
# Acquisitions of each calibration scan: cubic reduction, and others drawn from the mixture.
ACQUISITIONS, SEED = 8, 19
Floats = npt.NDArray[np.float32]


def patches_of(sample: Sample, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Return low-resolution patches (patch, row, column, 1) of a sample, and their absolute errors."""
    size, scale = PATCH[sample.engine.card.stage], sample.engine.card.scale
    factors = output_factors(sample.engine.card.stage, scale)
    low, errors = [], []
    for _ in range(PATCHES):
        for _ in range(ATTEMPTS):
            starts = [
                int(generator.integers(length - extent + 1))
                for length, extent in zip(sample.low.shape, (1, *size), strict=True)
            ]
            spans = zip(starts[1:], size, factors, strict=True)
            rows, columns = (slice(start * factor, (start + extent) * factor) for start, extent, factor in spans)
            if sample.tissue[starts[0], rows, columns].mean() >= TISSUE:
                break
        low.append(sample.low[starts[0], starts[1] : starts[1] + size[0], starts[2] : starts[2] + size[1]])
        errors.append(sample.errors[starts[0], rows, columns])
    return np.array(low)[..., None], np.array(errors)[..., None]


def trained(engine: Any, cases: list[Case], draws: int, steps: int) -> Any:
    """Return the trained estimator of a stage, a Keras model."""
    keras.utils.set_random_seed(SEED)
    generator, low, errors = np.random.default_rng(SEED), [], []
    for sample in drawn_samples(cases, engine, draws, SEED):
        patches = patches_of(sample, generator)
        low.append(patches[0])
        errors.append(patches[1])
    network, inputs = build(engine.card.stage, engine.card.scale), np.concatenate(low)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    network.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=quantile_loss)
    epochs = max(1, round(steps * BATCH / len(inputs)))
    history = network.fit(inputs, np.concatenate(errors), batch_size=BATCH, epochs=epochs, verbose=0)
    losses = history.history["loss"]
    sys.stdout.write(
        f"{engine.card.name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {network.count_params()} weights\n"
    )
    return network


def calibration_samples(engine: Any, cases: list[Case], count: int = ACQUISITIONS) -> dict[str, list[Sample]]:
    """Return some samples of each calibration scan: reduced by cubic interpolation, and as scanners do it."""
    samples: dict[str, list[Sample]] = {}
    for case in cases:
        for number in range(count):
            generator = np.random.default_rng((SEED, 1, number))
            drawn = draw_acquisition(case.scan.modality, generator) if number else Acquisition()
            samples.setdefault(case.name, []).append(make_sample(case, engine, drawn, generator))
    return samples


def scores_of(samples: list[Sample], half_widths: list[Floats]) -> dict[str, Floats]:
    """Return the absolute errors over the half-widths in the tissue of a scan, at edges and in flat regions."""
    scores: dict[str, list[Floats]] = {"edges": [], "flat": []}
    for sample, widths in zip(samples, half_widths, strict=True):
        rows, columns = output_factors(sample.engine.card.stage, sample.engine.card.scale)
        edges = edges_of(sample.low).repeat(rows, axis=1).repeat(columns, axis=2)
        ratios = sample.errors / widths
        scores["edges"].append(ratios[sample.tissue & edges])
        scores["flat"].append(ratios[sample.tissue & ~edges])
    return {name: np.concatenate(each) for name, each in scores.items()}


def factors_of(scores: dict[str, dict[str, Floats]]) -> Factors:
    """Return the factors that calibrate half-widths, from the scores of each scan."""
    edges, flat = (calibrated_factor([each[name] for each in scores.values()]) for name in ("edges", "flat"))
    return Factors(edges, flat)


def _predicted(network: Any, sample: Sample) -> Floats:
    return np.asarray(network(sample.low[..., None]))[..., 0]


def main() -> None:
    """Train, calibrate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--stage", action="append", choices=STAGES)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--draws", type=int, default=80)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        learn, calibrate = (load_cases(arguments.scans, names, Path(cache)) for names in (LEARN, CALIBRATE))
        for name in arguments.stage or STAGES:
            engine = load_engine(name, "onnx", threads=1)
            network = trained(engine, learn, arguments.draws, arguments.steps)
            samples = calibration_samples(engine, calibrate)
            scores = {
                scan: scores_of(each, [_predicted(network, sample) for sample in each])
                for scan, each in samples.items()
            }
            factors = factors_of(scores)
            for scan, each in scores.items():
                shares = [np.mean(each[kind] <= getattr(factors, kind)) for kind in ("edges", "flat")]
                quantiles = [np.quantile(each[kind], LEVEL) for kind in ("edges", "flat")]
                sys.stdout.write(
                    f"  {scan}: edges {quantiles[0]:.2f} {shares[0]:.3f}, flat {quantiles[1]:.2f} {shares[1]:.3f}\n"
                )
            sys.stdout.write(f"  factors {factors}\n")
            record = {
                "level": LEVEL,
                "stage": name,
                "stage_sha256": engine.card.weights_sha256,
                "learned_on": list(LEARN),
                "calibrated_on": list(CALIBRATE),
                "factors": {"edges": factors.edges, "flat": factors.flat},
            }
            model = onnx_model(network, engine.card.stage, engine.card.scale, factors, record)
            onnx.save(model, arguments.output / f"{name}.onnx")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
