"""What adaptation learns from and judges by: pairs of all scans, in both orientations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sr_keras.adaptation.fitting import patch_size, started, upsample
from sr_keras.adaptation.implied import THICKNESSES, presumed_thickness
from sr_keras.adaptation.pairs import Floats, Pairs, PatchSampler, make_pairs
from sr_keras.adaptation.slices import ALIKE, HELD_OUT, Mask, ScanSlices
from sr_keras.adaptation.start import Start
from sr_keras.adaptation.thickness import ESTIMATED, SliceProfile
from sr_keras.errors import VolumeError
from sr_keras.volumes.volume import format_shape

# Of the noise that is to be kept, pairs keep that of thin slices, which stages that ship give back: for MRI as much as
# has this standard deviation, normalised; for CT a part of what slices show.
THIN_NOISE, CT_PART = 0.0125, 0.5
# Slices that are enough to see what a stage presumes.
SEEN = 8


def divided(
    scans: Sequence[ScanSlices],
    profiles: Sequence[SliceProfile],
    start: Start,
    noise_kept: float,
    generator: np.random.Generator,
) -> tuple[PatchSampler, PatchSampler]:
    """Return what to learn from, and what to judge by.

    Background teaches nothing good: in magnitude images noise makes it brighter. There the targets to learn from are
    what the chain made before, and those to judge by are NaN. Z. Li, D. Hoiem, "Learning without Forgetting", DOI
    10.1109/TPAMI.2017.2773081.

    Args:
        scans: their slices.
        profiles: of each scan.
        start: the chain to train.
        noise_kept: how much of the scans' noise the stage is to keep, 0 to 1.
        generator: the source of the noise of pairs.

    Raises:
        VolumeError: the slices of a scan are too small for a patch.
    """
    learned, held_out, scale = [], [], start.scale
    for scan, profile in zip(scans, profiles, strict=True):
        oriented = _pairs_of(scan, profile, scale, noise_kept, generator)
        if not oriented:
            raise VolumeError(
                f"{scan.volume.source}: slices of {format_shape(scan.slices.shape[1:])} pixels are too small to adapt "
                f"to at x{scale}; super-resolve it without adapting."
            )
        judges = np.arange(len(scan.slices)) % HELD_OUT == HELD_OUT // 2
        for pairs, background in oriented:
            low, target, unknown = (each[~judges] for each in (pairs.low, pairs.target, background))
            learned.append(Pairs(low, _as_before(start, low, target, unknown)))
            low, target, unknown = (each[judges] for each in (pairs.low, pairs.target, background))
            held_out.append(Pairs(low, np.where(unknown, np.float32(np.nan), target)))
    return PatchSampler(learned, scale, patch_size(scale)), PatchSampler(held_out, scale, patch_size(scale))


def are_coarse(scans: Sequence[ScanSlices], scale: int) -> bool:
    """Return whether the pixels of some pairs are much coarser than those of the result.

    Args:
        scans: their slices.
        scale: of the stage.
    """
    sizes = [(scan.spacing[2] / scale, each) for scan in scans for each in scan.spacing[:2]]
    return any(wanted < ALIKE * max(1, round(wanted / each)) * each for wanted, each in sizes)


def as_presumed(scan: ScanSlices, profile: SliceProfile, start: Start, noise_kept: float, seed: int) -> SliceProfile:
    """Return a profile of an MRI whose thickness was estimated, with the thickness that the stage presumes.

    Args:
        scan: its slices.
        profile: as the scan says or its spectra do.
        start: the stage, which was told how the scan was acquired.
        noise_kept: as in `divided`.
        seed: of the patches and of the noise.
    """
    # That of CT is seen less well: it presumes slices a quarter thinner than they are.
    if profile.source != ESTIMATED or scan.modality != "MR":
        return profile
    every = -(-len(scan.slices) // SEEN)
    few = replace(scan, slices=scan.slices[::every], background=scan.background[::every])
    samplers = []
    for thickness in THICKNESSES:
        tried = replace(profile, thickness=thickness)
        pairs = _pairs_of(few, tried, start.scale, noise_kept, np.random.default_rng([seed, 2]))
        if not pairs:
            return profile
        samplers.append(PatchSampler([each for each, _ in pairs], start.scale, patch_size(start.scale)))
    return replace(profile, thickness=presumed_thickness(start, samplers, seed))


def _pairs_of(
    scan: ScanSlices, profile: SliceProfile, scale: int, noise_kept: float, generator: np.random.Generator
) -> list[tuple[Pairs, Mask]]:
    """Return the pairs of each orientation whose images hold a patch, and where their targets are background."""
    height, depth = patch_size(scale)
    result = []
    for slices, background, spacing in scan.oriented():
        coarsening = max(1, round(scan.spacing[2] / scale / spacing))
        if slices.shape[1] >= height and slices.shape[2] // (scale * coarsening) >= depth:
            kept, reduction = _part_kept(scan) * noise_kept, profile.reduction(scale)
            pairs = make_pairs(slices, reduction, coarsening, scan.noise, generator, kept)
            result.append((pairs, _coarser(background, coarsening, pairs.target.shape[2])))
    return result


def _as_before(start: Start, low: Floats, target: Floats, unknown: Mask) -> Floats:
    """Return targets that are what a chain makes where they are unknown; an image at a time, for the sake of memory."""
    model, result = started(start), target.copy()
    for number in np.flatnonzero(unknown.any(axis=(1, 2))):
        result[number] = np.where(unknown[number], upsample(model, low[number : number + 1])[0], target[number])
    return result


def _coarser(mask: Mask, coarsening: int, length: int) -> Mask:
    """Return where all pixels along the last axis that become one are in a mask."""
    parts = mask[..., : length * coarsening].reshape(*mask.shape[:-1], length, coarsening)
    return np.asarray(parts.all(axis=-1))


def _part_kept(scan: ScanSlices) -> float:
    """Return how much of the noise that slices show pairs keep, 0 to 1."""
    if scan.modality == "CT":
        return CT_PART
    return min(1.0, (THIN_NOISE / max(scan.noise.deviation, THIN_NOISE)) ** 2)
