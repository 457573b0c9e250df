"""Test two claims of the paper: that the intermediate loss helps, and that many sigmas beat one sigma and no blur.

    python benchmarks/reproduce_paper.py TRAIN VALIDATION FOLDER [--seeds 3] [--steps 3000]
    python benchmarks/reproduce_paper.py --report-only FOLDER/reproduction.json

The script trains the hw stage at the published patch size, in four variants that differ in one setting each, with
several seeds. It tests every network in-plane on slices of the validation scans that were blurred with several sigmas
before downsampling. It also scores the shipped stages of the paper's family at x2 and x4, in 2-D and 3-D. Each run
keeps the epoch with the best PSNR on unblurred validation slices. Finished runs in FOLDER are not repeated, an
interrupted run continues. FOLDER/reproduction.json holds all results, and the tables are printed from it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.ndimage import gaussian_filter

from sr_keras.engines import KerasEngine, load_engine
from sr_keras.evaluation.protocol import Floats, compare_methods, middle_box, score
from sr_keras.evaluation.tables import score_rows
from sr_keras.files import atomic_write
from sr_keras.framework import require_tensorflow
from sr_keras.inference.folders import find_scans
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.models.stages import find_stage, shipped_stages
from sr_keras.training.configuration import Configuration, parse_configuration
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import evenly, normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume

FAMILY, EPOCHS = "georgescu2020", 6
# What of the configuration each variant changes: the full method is the paper's, the others lack one thing each.
VARIANTS: dict[str, dict[str, dict[str, float]]] = {
    "full method": {},
    "no intermediate loss": {"training": {"intermediate_weight": 0.0}},
    "one sigma of 0.5": {"degradation": {"sigma_low": 0.5, "sigma_high": 0.5}},
    "no blur": {"degradation": {"probability": 0.0}},
}
# Standard deviations of the Gaussian before downsampling, in high-resolution voxels: those trained for, and beyond.
SIGMAS = (0.0, 0.2, 0.35, 0.5, 0.8, 1.0)
# Slices with tissue drawn evenly from each validation scan for the blurred tests.
SLICES = 8
# The shipped stages are measured on a box of at most this many voxels each way from the middle of a scan.
BOX = 128
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What to train: scans, the runs' folder, and how many steps."""

    training: Sequence[Path]
    validation: Sequence[Path]
    folder: Path
    steps: int

    def run_folder(self, variant: str, seed: int) -> Path:
        """Return the folder of one training run."""
        return self.folder / f"{variant.replace(' ', '_')}-{self.steps}-{seed}"


def configuration_of(variant: str, seed: int, steps: int) -> Configuration:
    """Return the configuration of one training run: 14x14 patches, 128 a batch, a cosine from 1e-3 to 1e-5."""
    rates = {"learning_rate": 1e-3, "final_learning_rate": 1e-5}
    training = {"epochs": EPOCHS, "steps_per_epoch": max(1, steps // EPOCHS), "seed": seed, **rates}
    changes = VARIANTS[variant]
    return parse_configuration(
        {
            "network": {"family": FAMILY, "stage": "hw", "scale": 2},
            "patches": {"height": 14, "width": 14, "batch": 128},
            "training": training | changes.get("training", {}),
            "degradation": changes.get("degradation", {}),
        }
    )


def trained(plan: Plan, variant: str, seed: int) -> Path:
    """Train a network, go on with its training, or find it; return its run's folder."""
    from sr_keras.training.run import resume_training, start_training

    run = plan.run_folder(variant, seed)
    if not (run / "stage.json").exists():
        if (run / "run.json").exists():
            resume_training(run)
        else:
            start_training(configuration_of(variant, seed, plan.steps), plan.training, plan.validation, run)
    return run


def blurred_reduction(voxels: Floats, factors: Sequence[int], sigma: float) -> Floats:
    """Blur the axes that are downsampled with a Gaussian, sigma in voxels, then downsample them."""
    return downsample_volume(gaussian_filter(voxels, [sigma if factor > 1 else 0 for factor in factors]), factors)


def drawn_slices(path: Path) -> Volume:
    """Return a scan of slices drawn evenly from those with tissue; they no longer lie beside one another."""
    volume = read_volume(path)
    axis = through_plane_axis(volume.spacing)
    indices = tissue_slices(tissue_mask(volume, normalization_of(volume)), axis)
    drawn = evenly(indices, SLICES)
    return volume.with_voxels(volume.voxels.take(drawn, axis))


def blurred_scores(upscalers: dict[str, Upscaler], scans: Sequence[Path]) -> list[Row]:
    """Return a row for each scan, sigma and method, in-plane at x2."""
    rows: list[Row] = []
    for path in scans:
        axis, volume = through_plane_axis(read_volume(path).spacing), drawn_slices(path)
        for sigma in SIGMAS:
            comparison = compare_methods(
                volume,
                "in-plane",
                2,
                upscalers,
                slice_axis=axis,
                downsampling=lambda voxels, factors, sigma=sigma: blurred_reduction(voxels, factors, sigma),
            )
            rows += [row | {"sigma": sigma} for row in score_rows(comparison, score(comparison))]
    return rows


def shipped_scores(scans: Sequence[Path]) -> list[Row]:
    """Return the scores of the shipped stages of the family at x2 and x4, in 2-D and in 3-D."""
    names = [name for name, stage in shipped_stages().items() if stage.card.family == FAMILY]
    upscalers = {FAMILY: Upscaler([load_engine(name) for name in names])}
    rows: list[Row] = []
    for path in scans:
        volume = read_volume(path)
        axis, box = through_plane_axis(volume.spacing), middle_box(volume, (BOX, BOX, BOX))
        for scale in (2, 4):
            for task in ("in-plane", "3-D"):
                comparison = compare_methods(box, task, scale, upscalers, slice_axis=axis)
                rows += [row | {"scale": scale} for row in score_rows(comparison, score(comparison))]
    return rows


def run_all(plan: Plan, seeds: int) -> Path:
    """Do what is not done yet, keep the figures after each run, and return their file."""
    result = plan.folder / "reproduction.json"
    plan.folder.mkdir(parents=True, exist_ok=True)
    content: Row = json.loads(result.read_text()) if result.exists() else {"runs": []}
    done = {(run["variant"], run["seed"], run["steps"]) for run in content["runs"]}
    # Seed by seed, so that a run cut short has compared the variants already.
    for key in [(variant, seed, plan.steps) for seed in range(seeds) for variant in VARIANTS]:
        if key not in done:
            run = trained(plan, *key[:2])
            rows = blurred_scores({"network": Upscaler([KerasEngine(find_stage(str(run)))])}, plan.validation)
            content["runs"].append({"variant": key[0], "seed": key[1], "steps": key[2], "rows": rows})
            keep(content, result)
    if "shipped" not in content:
        keep(content | {"shipped": shipped_scores(plan.validation)}, result)
    return result


def keep(content: Row, path: Path) -> None:
    """Write the figures."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def print_report(content: Row) -> None:
    """Print the tables."""
    for steps in sorted({run["steps"] for run in content["runs"]}):
        print_blurred([run for run in content["runs"] if run["steps"] == steps], steps)
    if "shipped" in content:
        print_shipped(content["shipped"])


def print_blurred(runs: Sequence[Row], steps: int) -> None:
    """Print PSNR by variant and sigma: the mean over scans, then the mean and standard deviation over seeds."""
    seeds = len({run["seed"] for run in runs})
    scans = len({row["scan"] for row in runs[0]["rows"]})
    print_line(f"\nIn-plane x2, {steps} steps, PSNR in dB, mean over {scans} scans; ± is over {seeds} seeds:\n")
    print_line(f"| sigma before downsampling | {' | '.join(f'{sigma:g}' for sigma in SIGMAS)} |")
    print_line("|---" * (len(SIGMAS) + 1) + "|")
    for method in ("nearest", "linear", "cubic", "lanczos"):
        print_line(f"| {method} | {' | '.join(f'{psnr_of(runs[0], method, sigma):.2f}' for sigma in SIGMAS)} |")
    for variant in VARIANTS:
        same = [run for run in runs if run["variant"] == variant]
        if same:
            cells = [spread([psnr_of(run, "network", sigma) for run in same]) for sigma in SIGMAS]
            print_line(f"| {variant} | {' | '.join(cells)} |")


def print_shipped(rows: Sequence[Row]) -> None:
    """Print PSNR and SSIM of the shipped stages and the interpolations."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    print_line(f"\nThe middle {BOX} voxels each way, mean PSNR in dB / mean SSIM over slices:\n")
    print_line(f"| scan | scale | task | {' | '.join(methods)} |")
    print_line("|---" * (len(methods) + 3) + "|")
    for place in dict.fromkeys((row["scan"], row["scale"], row["task"]) for row in rows):
        here = [row for row in rows if (row["scan"], row["scale"], row["task"]) == place]
        cells = [f"{row['slice_psnr']:.2f} / {row['slice_ssim']:.4f}" for row in here]
        print_line(f"| {place[0].split('.')[0]} | x{place[1]} | {place[2]} | {' | '.join(cells)} |")


def psnr_of(run: Row, method: str, sigma: float) -> float:
    """Return the mean over scans."""
    return fmean(row["slice_psnr"] for row in run["rows"] if (row["method"], row["sigma"]) == (method, sigma))


def spread(values: Sequence[float]) -> str:
    """Return mean ± standard deviation as text."""
    return f"{fmean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def print_line(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", type=Path, metavar="TRAIN VALIDATION FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--report-only", type=Path, metavar="JSON")
    arguments = parser.parse_args()
    result = arguments.report_only
    if result is None:
        if len(arguments.places) != 3:
            parser.error("give TRAIN, VALIDATION and FOLDER, or --report-only JSON")
        require_tensorflow("Training")
        training, validation, folder = arguments.places
        result = run_all(
            Plan(find_scans([training]), find_scans([validation]), folder, arguments.steps), arguments.seeds
        )
    print_report(json.loads(result.read_text()))


if __name__ == "__main__":
    main()
