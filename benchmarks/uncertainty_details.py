"""Details smaller than a voxel of the scan, put into the ground truth at random or taken out of it.

`train_uncertainty.py` learns and calibrates on them. `uncertainty_lesions.py` measures on others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter
from uncertainty_samples import Case, Sample, drawn_slices, sample_of

from sr_keras.acquisition.description import Acquisition
from sr_keras.acquisition.profiles import FWHM

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
# The lowest contrast of details, as a part of the normalised range, and the highest by stage and scale: where a detail
# leaves little in the scan, intervals that held higher ones would be of no use for anything else.
LOWEST, HIGHEST = 0.03, {("hw", 2): 0.15, ("hw", 4): 0.15, ("d", 2): 0.4, ("d", 4): 0.2}
# Their full widths at half maximum, in voxels of the scan.
SIZES = (0.3, 1.0)
# The share of details that are blobs of up to half a voxel about the middle of a pixel: they leave the least in the
# scan. Of the others half are blobs and half are pieces of vessels, up to this many voxels to either side.
SMALL_SHARE, SMALL, VESSEL = 0.7, 0.5, (0.5, 1.5)
# Voxels of the scan between details along each axis, and from a detail to where nothing is left of it.
APART, RADIUS = 6, 3
# What a pixel stands out from, as a standard deviation in pixels, and by how much at least where it is taken out.
AROUND, LEAST_CONTRAST = (1.0, 2.5), 0.02
# Where contrasts are parted into groups, each of which the intervals hold as often. Small details of the highest
# contrasts weigh more when estimators learn: they are the hardest to hold.

PARTED, HARD, HARD_WEIGHT, SMALL_WEIGHT = (0.06, 0.12, 0.18, 0.25), 0.1, 4.0, 2.0


@dataclass(frozen=True)
class Details:
    """What was put into slices or taken out.

    Attributes:
        where: (detail, axis), slice, row and column of the pixel in the middle.
        groups: (detail,), details of like contrast and size have the same number.
        weights: (detail,), in training.
    """

    where: Places
    groups: npt.NDArray[np.intp]
    weights: Floats


def with_details(case: Case, engine: Any, acquisition: Acquisition, seed: tuple[int, ...]) -> Iterator[Any]:
    """Yield samples of slices of a scan and their details: as they are, None, with details put in, and taken out."""
    turned, generator = turned_axes(engine), np.random.default_rng(seed)
    truth, tissue = (each.transpose(turned) for each in drawn_slices(case, engine, generator))
    yield turned_sample(case, engine, acquisition, seed, truth, tissue), None
    for edit in (put_in, taken_out):
        changed, details = edit(truth, tissue, engine.card, generator)
        sample = turned_sample(case, engine, acquisition, seed, changed, tissue)
        where = details.where - [sample.first, 0, 0]
        kept = ((where >= 0) & (where < sample.truth.shape)).all(axis=1)
        yield sample, Details(where[kept], details.groups[kept], details.weights[kept])


def turned_axes(engine: Any) -> tuple[int, int, int]:
    """Return the axes of drawn slices that lie across slices, along rows and along columns."""
    return (1, 2, 0) if engine.card.stage == "d" else (0, 1, 2)


def turned_sample(
    case: Case, engine: Any, acquisition: Acquisition, seed: tuple[int, ...], truth: Floats, tissue: Any
) -> Sample:
    """Return the sample of slices (slice, row, column), for the d stage (slice, in-plane, depth)."""
    back = np.argsort(turned_axes(engine))
    drawn = truth.transpose(back), tissue.transpose(back)
    return sample_of(case, engine, acquisition, np.random.default_rng((*seed, 1)), *drawn)


def put_in(truth: Floats, tissue: Any, card: Any, generator: np.random.Generator) -> tuple[Floats, Details]:
    """Put blobs and pieces of vessels, brighter or darker, into the tissue of slices (slice, row, column).

    Args:
        truth: normalised.
        tissue: where the truth shows tissue.
        card: of the stage.
        generator: draws what lies where.
    """
    scale, changed = card.scale, truth.copy()
    around, where, groups, weights = RADIUS * scale, [], [], []
    for place in _grid(tissue, scale, generator):
        number, row, column = place
        small = generator.random() < SMALL_SHARE
        size = generator.uniform(SIZES[0], SMALL if small else SIZES[1])
        contrast = LOWEST * (HIGHEST[card.stage, scale] / LOWEST) ** generator.random()
        # Intensities below the floor of the range do not occur.
        sign = -1 if generator.random() < 0.5 and truth[number, row, column] > contrast else 1
        shape = _shape(around, size * scale, small, scale, generator)
        box = number, slice(row - around, row + around + 1), slice(column - around, column + around + 1)
        changed[box] += np.float32(sign * contrast) * shape
        where.append(place)
        groups.append(2 * int(np.searchsorted(PARTED, contrast)) + int(size > SMALL))
        weights.append((HARD_WEIGHT if contrast > HARD else 1.0) * (SMALL_WEIGHT if size <= SMALL else 1.0))
    places = np.array(where, np.intp).reshape(-1, 3)
    return np.maximum(changed, 0), Details(places, np.array(groups, np.intp), np.array(weights, np.float32))


def _grid(tissue: Any, scale: int, generator: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """Yield places in tissue, one at most in each square of a grid."""
    apart, around = APART * scale, RADIUS * scale
    rows, columns = (range(around, length - around - apart, apart) for length in tissue.shape[1:])
    for number, row, column in np.ndindex(len(tissue), len(rows), len(columns)):
        offsets = generator.integers(apart, size=2)
        place = number, int(rows[row] + offsets[0]), int(columns[column] + offsets[1])
        if tissue[place]:
            yield place


def _shape(around: int, size: float, small: bool, scale: int, generator: np.random.Generator) -> Floats:
    """Return a detail (row, column), 1 in the middle; `size` is in pixels."""
    rows, columns = np.mgrid[-around : around + 1, -around : around + 1].astype(np.float32)
    if not small:
        offsets = generator.uniform(-0.5, 0.5, 2)
        rows, columns = rows - offsets[0], columns - offsets[1]
    if not small and generator.random() < 0.5:
        angle, half = generator.uniform(0, np.pi), generator.uniform(*VESSEL) * scale
        along = np.abs(rows * np.cos(angle) + columns * np.sin(angle))
        rows, columns = columns * np.cos(angle) - rows * np.sin(angle), np.maximum(along - half, 0)
    shape = np.exp(-4 * np.log(2) * (rows**2 + columns**2) / size**2)
    # Off the middle of a pixel a detail may be much brighter beside it.
    return np.minimum(shape / shape[around, around], 1.5).astype(np.float32)


def taken_out(truth: Floats, tissue: Any, card: Any, generator: np.random.Generator) -> tuple[Floats, Details]:
    """Replace pixels of slices (slice, row, column) that stand out by what lies around them; see `put_in`."""
    apart, border = APART * card.scale, RADIUS * card.scale
    around = gaussian_filter(truth, (0, *[generator.uniform(*AROUND)] * 2))
    contrast = np.abs(truth - around)
    peaks = (contrast == maximum_filter(contrast, (1, apart, apart))) & (contrast > LEAST_CONTRAST) & tissue
    peaks[:, :border] = peaks[:, -border:] = peaks[:, :, :border] = peaks[:, :, -border:] = False
    where = np.argwhere(peaks)
    shapes = blobs(truth.shape, where, generator.uniform(*SIZES) * card.scale)
    changed = truth + shapes * (around - truth)
    groups, weights = np.full(len(where), 2 * len(PARTED) + 2), np.ones(len(where), np.float32)
    return changed.astype(np.float32), Details(where, groups, weights)


def blobs(shape: tuple[int, ...], where: Places, size: float) -> Floats:
    """Return Gaussians of height 1 within the images (image, row, column), `size` pixels wide at half of it."""
    points = np.zeros(shape, np.float32)
    points[tuple(where.T)] = 1.0
    smooth = gaussian_filter(points, (0, size / FWHM, size / FWHM))
    highest = smooth[tuple(where[0])] if len(where) else 1.0
    return np.minimum(smooth / highest, 1).astype(np.float32)
