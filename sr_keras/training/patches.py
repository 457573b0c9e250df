"""Patches for training, drawn from slices with tissue in them: plain numpy, a pure function of seed and step."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sr_keras.errors import ConfigurationError
from sr_keras.files import atomic_write, file_sha256
from sr_keras.io.kinds import check_is_scan
from sr_keras.io.nifti import read_volume
from sr_keras.networks import StageName
from sr_keras.training.configuration import Configuration
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import TISSUE_FRACTION, normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.volume import Array, Volume

# A patch is drawn again while it is empty, at most this often: slices with tissue have some within a few draws.
ATTEMPTS = 20


@dataclass(frozen=True)
class Scan:
    """A normalised scan on disk, mapped into memory: any number of them fits.

    Attributes:
        voxels: (slice, row, column), float16, normalised; the slice axis is the through-plane axis.
        tissue: (slice, row, column), bool.
        slices: indices of the slices with tissue in them.
        modality: "CT" or "MR".
        source: the file it was made from.
    """

    voxels: npt.NDArray[np.float16]
    tissue: npt.NDArray[np.bool_]
    slices: npt.NDArray[np.intp]
    modality: str
    source: str


def read_training_scan(path: str | os.PathLike[str]) -> Volume:
    """Read an image file to learn from.

    Raises:
        VolumeError: it cannot be read, or looks like a label map or a phase image.
    """
    volume = read_volume(path)
    check_is_scan(volume, Path(path), "leave it out")
    return volume


def load_scan(path: Path, cache: Path) -> Scan:
    """Return a scan, normalised once and cached.

    Args:
        path: a NIfTI file.
        cache: folder of the normalised scans, which is made if need be.

    Raises:
        VolumeError: the file cannot be used.
        ConfigurationError: the scan has no tissue.
    """
    stem = f"{path.name.split('.')[0]}-{file_sha256(path)[:16]}"
    files = {part: cache / f"{stem}.{part}" for part in ("voxels.npy", "tissue.npy", "modality")}
    if not all(file.exists() for file in files.values()):
        cache.mkdir(parents=True, exist_ok=True)
        _fill_cache(path, files)
    voxels, tissue = (np.load(files[part], mmap_mode="r") for part in ("voxels.npy", "tissue.npy"))
    slices = tissue_slices(tissue, 0)
    if slices.size == 0:
        raise ConfigurationError(f"{path} shows no tissue; leave it out.")
    return Scan(voxels, tissue, slices, files["modality"].read_text(), str(path))


def _fill_cache(path: Path, files: dict[str, Path]) -> None:
    volume = read_training_scan(path)
    normalization = normalization_of(volume)
    arrays: dict[str, Array] = {
        "voxels.npy": normalization.apply(volume.voxels).astype(np.float16),
        "tissue.npy": tissue_mask(volume, normalization),
    }
    axis = through_plane_axis(volume.spacing)
    for part, array in arrays.items():
        with atomic_write(files[part]) as temporary:
            np.save(temporary, np.ascontiguousarray(np.moveaxis(array, axis, 0)))
    with atomic_write(files["modality"]) as temporary:
        temporary.write_text(str(volume.modality))


def sample_patches(
    scans: Sequence[Scan], stage: StageName, size: tuple[int, int], count: int, seed: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Draw high-resolution patches, each from a scan, an orientation, a slice and a place drawn at random.

    Args:
        scans: each is drawn from equally often.
        stage: "hw" draws within slices; "d" draws from both orientations that contain the through-plane axis.
        size: (height, width) of a patch; the width of a d patch runs through plane.
        count: patches to draw.
        seed: the same seed gives the same patches.

    Returns:
        (count, height, width, 1), float32, normalised.
    """
    generator = np.random.default_rng(seed)
    patches = np.empty((count, *size, 1), np.float32)
    for patch in patches:
        scan = scans[int(generator.integers(len(scans)))]
        for _ in range(ATTEMPTS):
            window = _window(scan, stage, size, generator)
            if scan.tissue[window].mean() >= TISSUE_FRACTION:
                break
        values = scan.voxels[window].squeeze()
        patch[..., 0] = values.T if stage == "d" else values
    return patches


def largest_patch(scan: Scan, stage: StageName) -> tuple[int, int]:
    """Return the largest (height, width) in voxels of a patch that every orientation of a scan can give.

    Args:
        scan: any.
        stage: "hw" or "d", whose patches have the depth along their width.
    """
    depth, rows, columns = scan.voxels.shape
    return (min(rows, columns), depth) if stage == "d" else (rows, columns)


def check_patches(scan: Scan, configuration: Configuration, *, in_plane: bool = False) -> None:
    """Refuse a training scan that does not hold a whole patch.

    Args:
        scan: a training scan.
        configuration: stage and size of the patches.
        in_plane: whether an in-plane axis may stand for depth.

    Raises:
        ConfigurationError: it is too small.
    """
    height, width = largest_patch(scan, "hw" if in_plane else configuration.network.stage)
    if in_plane:
        # Either in-plane axis may stand for depth, and rows and columns change places.
        height = width = min(height, width)
    patches = configuration.patches
    if patches.height > height or patches.width > width:
        raise ConfigurationError(
            f"{scan.source} holds patches of at most {height}x{width} voxels, not of {patches.height}x{patches.width}; "
            "leave it out, or make patches.height and patches.width smaller."
        )


def _window(
    scan: Scan, stage: StageName, size: tuple[int, int], generator: np.random.Generator
) -> tuple[slice, slice, slice]:
    """Draw a place: the three ranges of indices that a patch covers, one of them a single index."""
    height, width = size
    if stage == "hw":
        index = int(generator.choice(scan.slices))
        rows, columns = _range(scan, 1, height, generator), _range(scan, 2, width, generator)
        return slice(index, index + 1), rows, columns
    across = int(generator.integers(1, 3))
    ranges = {across: _range(scan, across, 1, generator), 3 - across: _range(scan, 3 - across, height, generator)}
    return _range(scan, 0, width, generator), ranges[1], ranges[2]


def _range(scan: Scan, axis: int, length: int, generator: np.random.Generator) -> slice:
    start = int(generator.integers(scan.voxels.shape[axis] - length + 1))
    return slice(start, start + length)
