"""Measure where the networks stop helping: low-resolution scans that were not made by antialiased cubic reduction.

    python benchmarks/robustness.py RESULT.json SCAN_OR_FOLDER... [--model NAME]...

Reduces the middle of each scan, in-plane and through-plane at x2, as scanners and careless resampling do it; restores
it by cubic and Lanczos interpolation and by the networks; and prints how many dB the networks gain. A square with edges
that no scanner gives shows by how much each method overshoots.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.cli.options import load_upscalers
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.evaluation.metrics import psnr
from sr_keras.evaluation.protocol import (
    Comparison,
    Downsampling,
    Floats,
    Task,
    compare_methods,
    middle_box,
    task_factors,
)
from sr_keras.inference.folders import find_scans
from sr_keras.inference.spectrum import LARGEST_RATIO, nyquist_ratio
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.networks import CONDITIONAL_FAMILIES
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import downsample_volume, keys_kernel
from sr_keras.volumes.volume import Volume

# What of the middle of a scan is measured for each task, in voxels: along two axes in plane, and across them. The d
# stage needs both its orientations, the hw stage only slices.
BOXES: dict[Task, tuple[int, int, int]] = {"in-plane": (160, 160, 10), "through-plane": (80, 96, 96)}
# Full width at half maximum of a Gaussian, in standard deviations.
FWHM = 2.3548
# Standard deviations of the noise in a reduced voxel: HU for CT, of the data range for MR.
CT_NOISE, MR_NOISE = (10, 20, 40, 80), (0.01, 0.02, 0.04, 0.08)
# Background and square of the test for overshoot; the scale of intensities begins at 0.
SQUARE = (200.0, 800.0)
Row = dict[str, Any]


def reduce_by(profile: Any, voxels: Floats, factors: Sequence[int]) -> Floats:
    """Reduce by a slice profile.

    Args:
        profile: takes distances from the centre of a reduced voxel, in reduced voxels, and gives weights.
        voxels: the true scan.
        factors: along i, j, k.
    """
    for axis, factor in enumerate(factors):
        if factor > 1:
            length = voxels.shape[axis]
            centres = (np.arange(length // factor) + 0.5) * factor - 0.5
            weights = profile((np.arange(length) - centres[:, None]) / factor, factor)
            matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
            voxels = np.moveaxis(np.tensordot(voxels, matrix, axes=(axis, 1)), -1, axis)
    return voxels


def box_profile(distance: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Average over the reduced voxel, as a thick slice with sharp edges does."""
    del factor
    return (np.abs(distance) < 0.5).astype(np.float64)


def gaussian(distance: npt.NDArray[np.float64], factor: int, width: float) -> npt.NDArray[np.float64]:
    """Weigh by a Gaussian whose full width at half maximum is `width` reduced voxels."""
    del factor
    return np.exp(-0.5 * np.square(distance * FWHM / width))


def no_antialiasing(distance: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Interpolate at the reduced voxel's centre, as resampling without antialiasing does."""
    return keys_kernel(distance * factor)


def k_space_truncation(distance: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Keep the low frequencies whole and nothing of the others, as MRI with a smaller matrix does."""
    del factor
    return np.sinc(distance)


def every_nth(voxels: Floats, factors: Sequence[int]) -> Floats:
    """Leave voxels out; the result lies half a true voxel beside its grid."""
    return voxels[tuple(slice(factor // 2, None, factor) for factor in factors)]


def noisy(voxels: Floats, factors: Sequence[int], *, sigma: float, rician: bool) -> Floats:
    """Reduce as in papers and add noise: Gaussian, or as the magnitude of a complex signal has it."""
    generator = np.random.default_rng(0)
    reduced = downsample_volume(voxels, factors)
    noise = generator.normal(0, sigma, (2, *reduced.shape)).astype(np.float32)
    return np.hypot(reduced + noise[0], noise[1]) if rician else reduced + noise[0]


def reductions(volume: Volume) -> dict[str, Downsampling]:
    """Return the ways to reduce a scan, by what a table calls them."""
    ways: dict[str, Downsampling] = {
        "antialiased cubic, as in papers": downsample_volume,
        "box profile": partial(reduce_by, box_profile),
        **{
            f"Gaussian profile, FWHM {width:g} reduced voxels": partial(reduce_by, partial(gaussian, width=width))
            for width in (1.0, 1.5, 2.0, 3.0)
        },
        "k-space truncation": partial(reduce_by, k_space_truncation),
        "cubic without antialiasing": partial(reduce_by, no_antialiasing),
        "every second voxel": every_nth,
    }
    data_range = normalization_of(volume).data_range
    is_ct = volume.modality == "CT"
    for number, (hounsfield, share) in enumerate(zip(CT_NOISE, MR_NOISE, strict=True), start=1):
        sigma = hounsfield if is_ct else share * data_range
        ways[f"noise {number}: {hounsfield} HU (CT), {share:.0%} Rician (MR)"] = partial(
            noisy, sigma=sigma, rician=not is_ct
        )
    return ways


def slice_psnr(comparison: Comparison) -> dict[str, float]:
    """Return the mean PSNR of each method over the slices with tissue, dB."""
    ground_truth, axis = comparison.ground_truth, comparison.axis
    normalization = normalization_of(ground_truth)
    slices = tissue_slices(tissue_mask(ground_truth, normalization), axis)
    return {
        method: fmean(
            psnr(ground_truth.voxels.take(index, axis), voxels.take(index, axis), data_range=normalization.data_range)
            for index in slices
        )
        for method, voxels in comparison.results.items()
    }


def cropped(voxels: npt.NDArray[Any]) -> Floats:
    """Return voxels with an even number along each axis, float32."""
    return voxels[tuple(slice(length // 2 * 2) for length in voxels.shape)].astype(np.float32)


def measured(path: Path, upscalers: dict[str, Upscaler]) -> list[Row]:
    """Return a row for each task and reduction of a scan."""
    whole = read_volume(path)
    axis = through_plane_axis(whole.spacing)
    rows = []
    for task, box in BOXES.items():
        volume = middle_box(whole, np.insert(box[:2], axis, box[2]).tolist())
        for name, downsampling in reductions(volume).items():
            figures = slice_psnr(
                compare_methods(volume, task, 2, upscalers, slice_axis=axis, downsampling=downsampling)
            )
            reduced = volume.with_voxels(downsampling(cropped(volume.voxels), task_factors(task, 2, axis)))
            axes = [each for each in range(3) if (each == axis) == (task == "through-plane")]
            rows.append(
                {
                    "scan": path.name.split(".")[0],
                    "task": task,
                    "downsampling": name,
                    "psnr": figures,
                    "nyquist_ratio": nyquist_ratio(reduced, axes),
                }
            )
    return rows


def overshoot(upscalers: dict[str, Upscaler]) -> dict[str, float]:
    """Return by how much each method goes beyond a square and its background in-plane, at most, in % of the edge."""
    low, high = SQUARE
    image = np.full((48, 48, 1), low, np.float32)
    image[16:32, 16:32] = high
    square = Volume(image, np.eye(4), "MR")
    enlarged = {method: interpolate(image, (2, 2, 1), method) for method in ("cubic", "lanczos")}
    for name, upscaler in upscalers.items():
        enlarged[name] = upscaler.upscale(square, (2, 2, 1), slice_axis=2).voxels
    return {
        name: 100 * max(float(voxels.max()) - high, low - float(voxels.min())) / (high - low)
        for name, voxels in enlarged.items()
    }


def print_report(content: Row) -> None:
    """Print a table of gains, lines about the high-frequency check, and a line about squares."""
    rows: list[Row] = content["rows"]
    print_line("\ndB gained over the better of cubic and Lanczos, x2: mean over the scans, and the smallest\n")
    print_line(f"| upsampled | downsampling | {' | '.join(content['models'])} |")
    print_line("|---" * (len(content["models"]) + 2) + "|")
    for task, downsampling in dict.fromkeys((row["task"], row["downsampling"]) for row in rows):
        figures = [row["psnr"] for row in rows if (row["task"], row["downsampling"]) == (task, downsampling)]
        gains = [[each[name] - max(each["cubic"], each["lanczos"]) for each in figures] for name in content["models"]]
        cells = " | ".join(f"{fmean(each):+.1f} ({min(each):+.1f})" for each in gains)
        print_line(f"| {task} | {downsampling} | {cells} |")
    for model in content["models"]:
        if model not in CONDITIONAL_FAMILIES:
            print_line(separation(rows, model))
    shares = ", ".join(f"{name} {share:.1f} %" for name, share in content["overshoot"].items())
    print_line(f"\nOvershoot at the edges of a square, at most, of the edge's height: {shares}.")


def separation(rows: Sequence[Row], model: str) -> str:
    """Return how well the high-frequency check of `sr-keras predict` tells where a model is worse than cubic."""
    warned = [row for row in rows if row["nyquist_ratio"] > LARGEST_RATIO]
    worse, warned_worse = (sum(row["psnr"][model] <= row["psnr"]["cubic"] for row in some) for some in (rows, warned))
    return (
        f"\n{model}: the high-frequency check at {LARGEST_RATIO:g} dB warns of {warned_worse} of the {worse} cases "
        f"without gain over cubic, and of {len(warned) - warned_worse} of the {len(rows) - worse} with gain."
    )


def print_line(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Measure, keep the figures, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--model", action="append", default=[])
    arguments = parser.parse_args()
    upscalers = load_upscalers(tuple(arguments.model))
    rows = [row for path in find_scans(arguments.scans) for row in measured(path, upscalers)]
    content = {"boxes": BOXES, "models": list(upscalers), "rows": rows, "overshoot": overshoot(upscalers)}
    arguments.result.write_text(json.dumps(content, indent=1) + "\n")
    print_report(content)


if __name__ == "__main__":
    main()
