"""Slices degraded as scanners do it, what a shipped stage makes of them, and how far that is from the ground truth.

`train_uncertainty.py` learns and calibrates on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.description import Acquisition
from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.acquisition.mixture import draw_acquisition
from sr_keras.acquisition.simulation import acquire
from sr_keras.inference.self_ensemble import symmetries
from sr_keras.io.nifti import read_volume
from sr_keras.networks import upsampled_axes
from sr_keras.networks.folding import KEPT_NOISE
from sr_keras.training.acquired_slices import LARGEST_RATIO
from sr_keras.training.patches import Scan, load_scan
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import normalization_of

Floats = npt.NDArray[np.float32]
# Scans that estimators learn from, and others that they are calibrated on; no patient is among both.
LEARN = (
    "t1w_philips_0p7mm_a",
    "t1w_siemens_0p9mm_b",
    "knee_pdfs_siemens_3p3mm_i",
    "thigh_t1w_siemens_4mm_j",
    "thigh_t2fs_siemens_4mm_k",
    "chest_philips_1mm_a",
    "chest_ge_2p5mm_b",
)
CALIBRATE = (
    "t1w_uih_1mm_c",
    "t1w_contrast_siemens_1p5mm_d",
    "breast_ge_2mm_e",
    "flair_unknown_5p5mm_h",
    "abdomen_t2w_toshiba_7mm_l",
    "lspine_gre_toshiba_3p2mm_m",
    "chest_ge_2p5mm_c",
    "lspine_sagittal_toshiba_3mm_f",
)
# Slices of a sample, rows of the slab that a d sample is made of, and those of them without a whole receptive field.
SLICES, ROWS, MARGIN = 3, 22, 8
# Rows and columns of `cropped`.
CROP = 128


@dataclass(frozen=True)
class Case:
    """A normalised scan.

    Attributes:
        scan: mapped into memory.
        name: of its file.
        data_range: in the scan's units.
        thin: whether its slices lie close enough for the d stage; of others an in-plane axis stands for depth.
    """

    scan: Scan
    name: str
    data_range: float
    thin: bool


@dataclass(frozen=True)
class Sample:
    """Slices of one scan and one acquisition; those of the d stage are (slice, in-plane, depth).

    Attributes:
        scan: the scan's name.
        low: (slice, row, column), normalised.
        truth: the ground truth, larger by the stage's factors.
        result: what the stage makes of `low`; of the d stage the mean of two orientations.
        tissue: where the truth shows tissue.
        first: of the slices that were drawn, the one that is the first here.
        apart: half the difference of the two orientations; None where there is one.
        engine: the stage, folded.
    """

    scan: str
    low: Floats
    truth: Floats
    result: Floats
    tissue: npt.NDArray[np.bool_]
    first: int
    apart: Floats | None
    engine: Any

    @property
    def errors(self) -> Floats:
        """The absolute errors."""
        return np.abs(self.truth - self.result)

    def spread(self) -> Floats:
        """Return the standard deviation of what the stage makes of rotated and mirrored slices."""
        ways = symmetries(self.engine.card.stage)
        return np.std([inverse(self.engine.run(transform(self.low))) for transform, inverse in ways], axis=0)


def load_cases(folder: Path, names: tuple[str, ...], cache: Path) -> list[Case]:
    """Return scans of a folder by their names."""
    paths = {path.name.split(".")[0]: path for path in sorted(folder.rglob("*.nii.gz"))}
    return [load_case(paths[name], cache) for name in names]


def load_case(path: Path, cache: Path) -> Case:
    """Return a scan, normalised once and kept in the folder `cache`."""
    volume = read_volume(path)
    spacing = list(volume.spacing)
    through = spacing.pop(through_plane_axis(volume.spacing))
    thin = through <= LARGEST_RATIO * min(spacing)
    return Case(load_scan(path, cache), path.name.split(".")[0], normalization_of(volume).data_range, thin)


def cropped(case: Case, stage: str) -> Case:
    """Return a scan for the d stage with the middle of its slices only, which saves most of the time; else as it is."""
    if stage == "hw":
        return case
    starts = [max(0, (length - CROP) // 2) for length in case.scan.voxels.shape[1:]]
    box = (slice(None), *(slice(start, start + CROP) for start in starts))
    scan = case.scan
    return replace(case, scan=replace(scan, voxels=scan.voxels[box], tissue=scan.tissue[box]))


def drawn_cases(cases: list[Case], count: int, seed: int) -> Iterator[tuple[Case, Acquisition]]:
    """Yield scans and acquisitions: of a modality drawn at random, as is the rest."""
    for number in range(count):
        generator = np.random.default_rng((seed, number))
        modality = generator.choice(sorted({case.scan.modality for case in cases}))
        chosen = [case for case in cases if case.scan.modality == modality]
        yield chosen[int(generator.integers(len(chosen)))], draw_acquisition(modality, generator)


def make_sample(case: Case, engine: Any, acquisition: Acquisition, generator: np.random.Generator) -> Sample:
    """Degrade slices drawn from a scan and run a stage on them."""
    truth, tissue = drawn_slices(case, engine, generator)
    return sample_of(case, engine, acquisition, generator, truth, tissue)


def drawn_slices(case: Case, engine: Any, generator: np.random.Generator) -> tuple[Floats, Any]:
    """Draw slices (slice, row, column), or for the d stage a slab (depth, slice, in-plane), and their tissue."""
    return _slices(case.scan, generator) if engine.card.stage == "hw" else _slab(case, generator)


def sample_of(
    case: Case, engine: Any, acquisition: Acquisition, generator: np.random.Generator, truth: Floats, tissue: Any
) -> Sample:
    """Degrade slices of a scan, for the d stage a slab (depth, slice, in-plane), and run a stage on them."""
    stage, scale = engine.card.stage, engine.card.scale
    factors = (1, scale, scale) if stage == "hw" else (scale, 1, 1)
    box = tuple(slice(length // factor * factor) for length, factor in zip(truth.shape, factors, strict=True))
    truth, tissue = np.ascontiguousarray(truth[box]), tissue[box]
    low = acquire(truth, factors, acquisition, generator, data_range=1.0, hounsfield=1.0 / case.data_range)
    low = np.maximum(low, np.float32(0.0))
    if stage == "hw":
        numbers = fingerprint(low, upsampled_axes(stage))
        folded = engine.for_scan(np.append(numbers, KEPT_NOISE))
        return Sample(case.name, low, truth, _run(folded, low), tissue, 0, None, folded)
    return _depth_sample(case, engine, low, truth, tissue)


def _depth_sample(case: Case, engine: Any, low: Floats, truth: Floats, tissue: Any) -> Sample:
    inner = slice(MARGIN, ROWS - MARGIN) if case.thin else slice(None)
    numbers = fingerprint(low.transpose(1, 2, 0), upsampled_axes("d"))
    folded = engine.for_scan(np.append(numbers, KEPT_NOISE))
    first, apart = _run(folded, low.transpose(1, 2, 0)), None
    if case.thin:
        second = _run(folded, low.transpose(2, 1, 0)).transpose(1, 0, 2)
        first, apart = (first + second) / 2, (np.abs(first - second) / 2)[inner]
    low, truth, tissue = (np.ascontiguousarray(each.transpose(1, 2, 0)[inner]) for each in (low, truth, tissue))
    return Sample(case.name, low, truth, first[inner], tissue, inner.start or 0, apart, folded)


def _run(engine: Any, images: Floats) -> Floats:
    return np.maximum(engine.run(np.ascontiguousarray(images)), np.float32(0.0))


def _slices(scan: Scan, generator: np.random.Generator) -> tuple[Floats, Any]:
    """Draw slices with tissue; rows and columns change places as often as not."""
    chosen = np.sort(generator.choice(scan.slices, SLICES, replace=False))
    order = (0, 2, 1) if generator.random() < 0.5 else (0, 1, 2)
    return scan.voxels[chosen].astype(np.float32).transpose(order), scan.tissue[chosen].transpose(order)


def _slab(case: Case, generator: np.random.Generator) -> tuple[Floats, Any]:
    """Draw a slab (depth, slice, in-plane): of a thin scan its neighbouring rows or columns, else slices of its own."""
    voxels, tissue = case.scan.voxels, case.scan.tissue
    if not case.thin:
        chosen = np.sort(generator.choice(case.scan.slices, 2 * SLICES, replace=False))
        order = (1, 0, 2) if generator.random() < 0.5 else (2, 0, 1)
        return voxels[chosen].astype(np.float32).transpose(order), tissue[chosen].transpose(order)
    across = int(generator.integers(1, 3))
    length = voxels.shape[across]
    start = int(generator.integers(length // 4, length - length // 4 - ROWS))
    box = (slice(None),) * across + (slice(start, start + ROWS),)
    order = (0, 1, 2) if across == 1 else (0, 2, 1)
    return voxels[box].astype(np.float32).transpose(order), tissue[box].transpose(order)
