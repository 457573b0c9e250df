"""Measure whether the intervals of `predict --uncertainty` hold details smaller than a voxel of the scan.

    python benchmarks/uncertainty_lesions.py SCANS RESULT.json [--stage fast_hw_x2]...

SCANS is the folder `val` of the shared data. Before slices are degraded, details are put into their tissue, or taken
out: Gaussian blobs of a full width at half maximum of one voxel of the ground truth, which is half a voxel of the scan
at x2. Prints how often the interval at the middle of the blob holds the ground truth, and how often it did without.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter
from uncertainty_samples import Case, cropped, drawn_slices, load_case, sample_of
from uncertainty_table import lesion_table

from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS, THROUGH_PLANE_CASES
from sr_keras.acquisition.profiles import FWHM
from sr_keras.engines import load_engine
from sr_keras.inference.folders import find_scans
from sr_keras.uncertainty.estimator import estimator_of

Floats = npt.NDArray[np.float32]
STAGES = ("fast_hw_x2", "fast_d_x2")
# Contrast of details that are put in, as parts of the normalised range, and of those that are taken out at least.
CONTRASTS, LEAST_CONTRAST = (0.05, 0.2), 0.05
# Pixels between details along each axis, so that none changes what is found of another.
APART = 16
# What a pixel stands out from, as a standard deviation in pixels.
AROUND = 1.5


def places(tissue: Any, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return places (detail, axis) in tissue, one at most in each square of a grid, away from its edges."""
    corners = np.stack(
        np.meshgrid(*(np.arange(0, length - APART, APART) for length in tissue.shape[1:]), indexing="ij")
    )
    found = []
    for number in range(len(tissue)):
        offsets = generator.integers(APART // 4, 3 * APART // 4, corners.shape)
        each = (corners + offsets).reshape(2, -1).T
        found += [(number, row, column) for row, column in each if tissue[number, row, column]]
    return np.array(found, np.intp).reshape(-1, 3)


def blobs(shape: tuple[int, ...], where: npt.NDArray[np.intp]) -> Floats:
    """Return Gaussians of height 1 within the images (image, row, column)."""
    points = np.zeros(shape, np.float32)
    points[tuple(where.T)] = 1.0
    smooth = gaussian_filter(points, (0, 1 / FWHM, 1 / FWHM))
    return np.asarray(smooth / smooth[tuple(where[0])] if len(where) else smooth, np.float32)


def standing_out(truth: Floats, tissue: Any) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return where single pixels of the ground truth stand out, and the ground truth without them."""
    around = gaussian_filter(truth, (0, AROUND, AROUND))
    contrast = np.abs(truth - around)
    peaks = (contrast == maximum_filter(contrast, (1, APART, APART))) & (contrast > LEAST_CONTRAST) & tissue
    peaks[:, :3] = peaks[:, -3:] = peaks[:, :, :3] = peaks[:, :, -3:] = False
    where = np.argwhere(peaks)
    changed = truth - blobs(truth.shape, where) * (truth - around)
    return where, np.asarray(changed, np.float32)


def edited(truth: Floats, tissue: Any, generator: np.random.Generator) -> Iterator[tuple[str, Any, Floats]]:
    """Yield what was done to slices (slice, row, column), where, and what they are then."""
    where = places(tissue, generator)
    for contrast in CONTRASTS:
        signs = generator.choice([-1.0, 1.0], len(truth))[:, None, None].astype(np.float32)
        yield f"put in, {100 * contrast:.0f} %", where, truth + signs * np.float32(contrast) * blobs(truth.shape, where)
    yield ("taken out", *standing_out(truth, tissue))


def measured(case: Case, engine: Any) -> list[dict[str, Any]]:
    """Return how many intervals hold details, by what was done to a scan and how it was reduced."""
    through = engine.card.stage == "d"
    table, rows = THROUGH_PLANE_CASES if through else IN_PLANE_CASES, []
    # Slices lie first where details are put in: of a slab (depth, slice, in-plane) they are the second axis.
    turned = (1, 2, 0) if through else (0, 1, 2)
    truth, tissue = (each.transpose(turned) for each in drawn_slices(case, engine, np.random.default_rng(11)))
    for name in table[case.scan.modality]:
        first, without = inside(case, engine, name, truth, tissue, turned)
        for kind, where, changed in edited(truth, tissue, np.random.default_rng(12)):
            _, with_it = inside(case, engine, name, changed, tissue, turned)
            places = where - [first, 0, 0]
            places = places[((places >= 0) & (places < with_it.shape)).all(axis=1)]
            counts = {"with": int(with_it[tuple(places.T)].sum()), "without": int(without[tuple(places.T)].sum())}
            row = {"stage": engine.card.name, "scan": case.name, "case": name, "kind": kind, "details": len(places)}
            rows.append(row | counts)
    return rows


def inside(
    case: Case, engine: Any, acquisition: str, truth: Floats, tissue: Any, turned: tuple[int, int, int]
) -> tuple[int, npt.NDArray[np.bool_]]:
    """Return the first of some slices with a whole receptive field, and which voxels from there on are inside.

    Args:
        case: the scan.
        engine: of the stage.
        acquisition: that slices are degraded by, a preset.
        truth: the slices (slice, row, column), for the d stage (slice, in-plane, depth).
        tissue: where they show tissue.
        turned: the axes in which they were cut.
    """
    back = np.argsort(turned)
    generator = np.random.default_rng(13)
    sample = sample_of(case, engine, PRESETS[acquisition], generator, truth.transpose(back), tissue.transpose(back))
    return sample.first, sample.errors <= estimator_of(sample.engine).run(sample.low)


def main() -> None:
    """Measure, keep the counts, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--stage", action="append", choices=STAGES)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        held_out = [load_case(path, Path(cache)) for path in find_scans([arguments.scans])]
        for name in arguments.stage or STAGES:
            engine = load_engine(name, "onnx", threads=1)
            rows += [row for case in held_out for row in measured(cropped(case, engine.card.stage), engine)]
    arguments.result.write_text(json.dumps(rows, indent=1) + "\n")
    sys.stdout.write(f"{lesion_table(rows)}\n")


if __name__ == "__main__":
    main()
