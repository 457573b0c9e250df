"""Measure whether the intervals of `predict --uncertainty` hold details smaller than a voxel of the scan.

    python benchmarks/uncertainty_lesions.py SCANS RESULT.json [--stage fast_hw_x2]...

SCANS is the folder `val` of the shared data. Before slices are degraded, Gaussian blobs of set contrasts and sizes are
put into their tissue, or pixels that stand out are taken out. Prints how often the interval at the middle of the detail
holds the ground truth, and how often it did without. Stages that are not measured keep their rows in RESULT.json.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter
from uncertainty_details import blobs, turned_axes, turned_sample
from uncertainty_samples import Case, cropped, drawn_slices, load_case
from uncertainty_table import TAKEN_SIZE, dumped, kept_rows, lesion_table

from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS, THROUGH_PLANE_CASES
from sr_keras.engines import load_engine
from sr_keras.inference.folders import find_scans
from sr_keras.uncertainty.estimator import estimator_of, spread

Floats = npt.NDArray[np.float32]
STAGES = ("fast_hw_x2", "fast_d_x2", "fast_hw_x4", "fast_d_x4")
# Of details that are put in: contrasts as parts of the normalised range, and full widths at half maximum in voxels of
# the scan. Of those that are taken out: the least contrast.
CONTRASTS, SIZES, LEAST_CONTRAST = (0.02, 0.05, 0.1, 0.2, 0.3), (0.3, 0.5, 1.0), 0.05
# Voxels of the scan between details along each axis, so that none changes what is found of another.
APART = 8
# What a pixel stands out from, as a standard deviation in pixels at x2.
AROUND = 1.5


def places(tissue: Any, scale: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return places (detail, axis) in tissue, one at most in each square of a grid, away from its edges."""
    apart = APART * scale
    corners = np.stack(
        np.meshgrid(*(np.arange(0, length - apart, apart) for length in tissue.shape[1:]), indexing="ij")
    )
    found = []
    for number in range(len(tissue)):
        offsets = generator.integers(apart // 4, 3 * apart // 4, corners.shape)
        each = (corners + offsets).reshape(2, -1).T
        found += [(number, row, column) for row, column in each if tissue[number, row, column]]
    return np.array(found, np.intp).reshape(-1, 3)


def standing_out(truth: Floats, tissue: Any, scale: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return where single pixels of the ground truth stand out, and the ground truth without them."""
    sigma, apart, border = AROUND * scale / 2, APART * scale, 3 * scale // 2
    around = gaussian_filter(truth, (0, sigma, sigma))
    contrast = np.abs(truth - around)
    peaks = (contrast == maximum_filter(contrast, (1, apart, apart))) & (contrast > LEAST_CONTRAST) & tissue
    peaks[:, :border] = peaks[:, -border:] = peaks[:, :, :border] = peaks[:, :, -border:] = False
    where = np.argwhere(peaks)
    changed = truth - blobs(truth.shape, where, TAKEN_SIZE * scale) * (truth - around)
    return where, np.asarray(changed, np.float32)


def edited(
    truth: Floats, tissue: Any, scale: int, generator: np.random.Generator
) -> Iterator[tuple[str, float | None, Any, Floats]]:
    """Yield what was done to slices (slice, row, column), of what size, where, and what they are then."""
    where = places(tissue, scale, generator)
    at = tuple(where.T)
    for contrast in CONTRASTS:
        # Brighter, or darker where that leaves no intensity below the floor of the range.
        darker = (generator.random(len(where)) < 0.5) & (truth[at] > contrast)
        for size in SIZES:
            shapes = blobs(truth.shape, where[darker], size * scale), blobs(truth.shape, where[~darker], size * scale)
            changed = truth + np.float32(contrast) * (shapes[1] - shapes[0])
            yield f"put in, {100 * contrast:.0f} %", size, where, np.maximum(changed, 0)
    yield ("taken out", None, *standing_out(truth, tissue, scale))


def measured(case: Case, engine: Any) -> list[dict[str, Any]]:
    """Return how many intervals hold details, by what was done to a scan, over all ways in which it was reduced."""
    table = THROUGH_PLANE_CASES if engine.card.stage == "d" else IN_PLANE_CASES
    turned, counts = turned_axes(engine), defaultdict[Any, Any](lambda: np.zeros(4))
    truth, tissue = (each.transpose(turned) for each in drawn_slices(case, engine, np.random.default_rng(11)))
    for name in table[case.scan.modality]:
        first, without, _ = inside(case, engine, name, truth, tissue)
        for kind, size, where, changed in edited(truth, tissue, engine.card.scale, np.random.default_rng(12)):
            _, with_it, widths = inside(case, engine, name, changed, tissue)
            places = where - [first, 0, 0]
            at = tuple(places[((places >= 0) & (places < with_it.shape)).all(axis=1)].T)
            counts[kind, size] += [len(at[0]), with_it[at].sum(), without[at].sum(), widths[at].sum()]
    rows = []
    for (kind, size), (details, with_it, without, width) in counts.items():
        found = {"details": int(details), "with": int(with_it), "without": int(without), "width": round(width, 3)}
        rows.append({"stage": engine.card.name, "scan": case.name, "kind": kind, "size": size} | found)
    return rows


def inside(
    case: Case, engine: Any, acquisition: str, truth: Floats, tissue: Any
) -> tuple[int, npt.NDArray[np.bool_], Floats]:
    """Return the first of some slices with a whole receptive field, which voxels from there on are inside, and the
    half-widths.

    Args:
        case: the scan.
        engine: of the stage.
        acquisition: that slices are degraded by, a preset.
        truth: the slices (slice, row, column), for the d stage (slice, in-plane, depth).
        tissue: where they show tissue.
    """
    sample = turned_sample(case, engine, PRESETS[acquisition], (13,), truth, tissue)
    widths = spread(estimator_of(sample.engine).run(sample.low), sample.truth.shape)
    return sample.first, sample.errors <= widths, widths


def main() -> None:
    """Measure, keep the counts, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--stage", action="append", choices=STAGES)
    arguments = parser.parse_args()
    rows, stages = kept_rows(arguments.result, arguments.stage or STAGES), arguments.stage or STAGES
    with tempfile.TemporaryDirectory() as cache:
        held_out = [load_case(path, Path(cache)) for path in find_scans([arguments.scans])]
        for name in stages:
            engine = load_engine(name, "onnx", threads=1)
            rows += [row for case in held_out for row in measured(cropped(case, engine.card.stage), engine)]
    arguments.result.write_text(dumped(rows))
    sys.stdout.write(f"{lesion_table(rows)}\n")


if __name__ == "__main__":
    main()
