"""Whole slices degraded as scanners do it, in groups of one scan and one acquisition: plain NumPy."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.description import Acquisition, Noise
from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.acquisition.mixture import CUBIC_SHARE, draw_acquisition
from sr_keras.acquisition.simulation import acquire
from sr_keras.files import atomic_write, file_sha256
from sr_keras.io.nifti import read_volume
from sr_keras.networks import StageName, upsampled_axes
from sr_keras.training.denoising import denoise, estimate_noise
from sr_keras.training.patches import Scan, load_scan
from sr_keras.training.phantoms import phantoms
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import normalization_of

Floats = npt.NDArray[np.float32]
# Slices of a group, and neighbouring ones that are degraded together for a d group.
SLICES, SLAB = 4, 8
# A scan whose slices lie at most this many in-plane voxels apart shows the d stage its through-plane axis, this often;
# of other scans, and else, an in-plane axis stands for it.
LARGEST_RATIO, THROUGH_PLANE_SHARE = 1.9, 0.6
# Groups that show phantoms.
PHANTOM_SHARE = 0.1


@dataclass(frozen=True)
class DenoisedScan:
    """A normalised scan and its denoised twin, both on disk.

    Attributes:
        scan: as it is.
        denoised: (slice, row, column), float16, normalised.
        data_range: of the normalisation, in the scan's units.
        thin: whether its slices lie close enough for the d stage.
    """

    scan: Scan
    denoised: npt.NDArray[np.float16]
    data_range: float
    thin: bool


@dataclass(frozen=True)
class Group:
    """Slices of one scan, degraded by one acquisition.

    Attributes:
        low: (slice, row, column), float32, low-resolution; for the d stage (slice, in-plane, depth).
        denoised: their denoised ground truth, float16.
        noise: what denoising took from the ground truth, the part of it that is kept, float16.
        fingerprint: of the low-resolution slices, float32.
    """

    low: Floats
    denoised: npt.NDArray[np.float16]
    noise: npt.NDArray[np.float16]
    fingerprint: Floats


def load_denoised_scan(path: Path, cache: Path) -> DenoisedScan:
    """Return a scan and its denoised twin, made once and kept in the folder `cache`.

    Raises:
        VolumeError: the file cannot be used.
        ConfigurationError: the scan has no tissue.
        MissingDependencyError: scikit-image is not installed.
    """
    scan = load_scan(path, cache)
    stem = f"{path.name.split('.')[0]}-{file_sha256(path)[:16]}"
    array, metadata = cache / f"{stem}.denoised.npy", cache / f"{stem}.metadata.json"
    if not (array.exists() and metadata.exists()):
        _fill_cache(path, scan, array, metadata)
    return DenoisedScan(scan, np.load(array, mmap_mode="r"), **json.loads(metadata.read_text()))


def _fill_cache(path: Path, scan: Scan, array: Path, metadata: Path) -> None:
    volume = read_volume(path)
    spacing = list(volume.spacing)
    through = spacing.pop(through_plane_axis(volume.spacing))
    sigma = estimate_noise(scan.voxels.astype(np.float32), scan.tissue)
    denoised = np.stack([denoise(image.astype(np.float32), sigma) for image in scan.voxels]).astype(np.float16)
    with atomic_write(array) as temporary:
        np.save(temporary, denoised)
    content = {"data_range": normalization_of(volume).data_range, "thin": through <= LARGEST_RATIO * min(spacing)}
    with atomic_write(metadata) as temporary:
        temporary.write_text(json.dumps(content))


def acquired_group(
    scan: DenoisedScan, stage: StageName, scale: int, generator: np.random.Generator, cubic_share: float = CUBIC_SHARE
) -> Group:
    """Return slices of a scan, degraded by an acquisition drawn from the mixture for its modality.

    Args:
        scan: to draw slices from.
        stage: "hw" reduces rows and columns, "d" the last axis of its slices.
        scale: by how much.
        generator: the source of randomness.
        cubic_share: of the mixture, see `draw_acquisition`.
    """
    acquisition = draw_acquisition(scan.scan.modality, generator, cubic_share)
    ground_truth, denoised = _drawn(scan, stage, generator)
    factors = (1, scale, scale) if stage == "hw" else (scale, 1, 1)
    box = tuple(slice(size // factor * factor) for size, factor in zip(ground_truth.shape, factors, strict=True))
    ground_truth, denoised = np.ascontiguousarray(ground_truth[box]), denoised[box]
    low = acquire(ground_truth, factors, acquisition, generator, data_range=1.0, hounsfield=1.0 / scan.data_range)
    noise = ground_truth - denoised
    noise *= np.float32(noise_to_keep(noise, factors, acquisition))
    if stage == "d":
        # (depth, slice, in-plane) becomes (slice, in-plane, depth).
        kept = np.linspace(0, ground_truth.shape[1] - 1, SLICES).astype(int)
        noise, denoised, low = (
            np.ascontiguousarray(each[:, kept].transpose(1, 2, 0)) for each in (noise, denoised, low)
        )
    return Group(low, denoised.astype(np.float16), noise.astype(np.float16), fingerprint(low, upsampled_axes(stage)))


def noise_to_keep(noise: Floats, factors: tuple[int, int, int], acquisition: Acquisition) -> float:
    """Return the part of its noise that a ground truth keeps, so that networks do not learn to make a scan noisier.

    That is as much as the acquisition leaves: its root mean square afterwards over that before. Of cubic downsampling,
    which no scanner does, it is the square root of that, because results are compared with scans that have all of it.

    Args:
        noise: (slice, row, column), float32, of the scan.
        factors: as in `acquire`.
        acquisition: how the scan is degraded; the noise that it adds does not count.

    Returns:
        0 to 1.
    """
    before = float(np.square(noise).mean())
    if before <= 0.0:
        return 1.0
    after = acquire(noise, factors, replace(acquisition, noise=Noise()), np.random.default_rng(0), data_range=1.0)
    left = min(1.0, math.sqrt(float(np.square(after).mean()) / before))
    method = acquisition.through_plane.profile if factors[0] > 1 else acquisition.in_plane.method
    return math.sqrt(left) if method == "cubic" else left


def _drawn(scan: DenoisedScan, stage: StageName, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw slices (slice, row, column), or for the d stage a slab (depth, slice, in-plane), as they are and denoised.

    Rows and columns change places as often as not: what an acquisition does to each differs.
    """
    if generator.random() < PHANTOM_SHARE:
        images = phantoms(SLICES, generator)
        drawn = (images, images) if stage == "hw" else (images.swapaxes(0, 1),) * 2
    else:
        drawn = _drawn_slices(scan, generator) if stage == "hw" else _drawn_slab(scan, generator)
    if stage == "hw" and generator.random() < 0.5:
        drawn = drawn[0].swapaxes(1, 2), drawn[1].swapaxes(1, 2)
    return drawn


def _drawn_slices(scan: DenoisedScan, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw slices with tissue: (slice, row, column) as they are and denoised."""
    slices = scan.scan.slices
    chosen = generator.choice(slices, SLICES, replace=slices.size < SLICES)
    return scan.scan.voxels[chosen].astype(np.float32), scan.denoised[chosen].astype(np.float32)


def _drawn_slab(scan: DenoisedScan, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw a slab (depth, slice, in-plane) of neighbouring slices, as it is and denoised."""
    if scan.thin and generator.random() < THROUGH_PLANE_SHARE:
        across = int(generator.integers(1, 3))
        start = _start(scan.scan.voxels.shape[across], generator)
        order = (0, 1, 2) if across == 1 else (0, 2, 1)
    else:
        across, start = 0, int(generator.choice(scan.scan.slices))
        start = min(start, len(scan.scan.voxels) - SLAB)
        order = (1, 0, 2) if generator.random() < 0.5 else (2, 0, 1)
    box = (slice(None),) * across + (slice(max(start, 0), start + SLAB),)
    ground_truth, denoised = (
        each[box].astype(np.float32).transpose(order) for each in (scan.scan.voxels, scan.denoised)
    )
    return ground_truth, denoised


def _start(length: int, generator: np.random.Generator) -> int:
    """Draw where a slab begins in the middle three quarters of an axis."""
    return int(generator.integers(length // 8, max(length // 8 + 1, length - length // 8 - SLAB)))
