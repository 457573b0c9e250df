"""Read a DICOM series into a `Volume`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sr_keras.dicom.finding import Series, choose_series, find_series
from sr_keras.dicom.frames import Frame, frames_of
from sr_keras.dicom.grid import check_planes, check_stack, lps_affine, ras_affine, sorted_frames
from sr_keras.dicom.groups import one_group
from sr_keras.dicom.parsing import parsed
from sr_keras.dicom.pixels import (
    decoded,
    encoding_of,
    fill_padding,
    is_inverted,
    mirror_of,
    narrowed,
    pixel_keyword,
    volume_dtype,
    voxels_of,
)
from sr_keras.dicom.refusals import check_kind, modality_of
from sr_keras.errors import VolumeError
from sr_keras.files import check_memory
from sr_keras.volume import Array, Modality, Volume, format_shape

# Bytes a voxel while a series is decoded: stored, in real units, narrowed.
BYTES_PER_VOXEL = 12


@dataclass(frozen=True, eq=False)
class DicomHeader:
    """Where a volume came from, for the writer.

    Attributes:
        frames: one for each k, with the data sets of their files.
        sha256: of the series: the hash of its files' hashes, sorted, hexadecimal.
        mirror: the volume's values are this minus the file's, for a MONOCHROME1 image without absolute units.
    """

    frames: tuple[Frame, ...]
    sha256: str
    mirror: float | None


def read_series(
    path: Path, *, series: str | None = None, frame_group: int | None = None, modality: Modality | None = None
) -> Volume:
    """Read a series of CT or MR images.

    Args:
        path: a folder tree, a .zip or a DICOM file with one series, or several of which one is chosen.
        series: Series Number or Series Instance UID of the one to read.
        frame_group: which of several volumes in the series, from 1.
        modality: "CT" or "MR"; None takes the header's word.

    Returns:
        A volume with the axes (column, row, slice), slices sorted along row x column; CT in HU, MR in the units of the
        header's rescaling; integer where the rescaling allows, else float32. Its header is a `DicomHeader`.

    Raises:
        VolumeError: nothing to read, damaged, or no regular grid of grey values; the text says which slice.
        MissingDependencyError: the pixels are compressed and no installed library decodes them.
    """
    source = str(path)
    chosen = choose_series(find_series(path), path, series)
    check_kind(chosen.headers, source)
    known = modality or modality_of(chosen.headers[0], source)
    frames = frames_of(chosen.headers, source)
    check_planes(frames, source)
    frames = sorted_frames(one_group(frames, source, frame_group))
    check_stack(frames, source)
    affine = ras_affine(lps_affine(frames))
    voxels, digest = _decoded_series(chosen, frames, source)
    mirror = _mirror(frames[0], known, source)
    if mirror is not None:
        voxels = (mirror - voxels).astype(voxels.dtype)
    return Volume(narrowed(voxels), affine, known, source, DicomHeader(tuple(frames), digest, mirror))


def _mirror(frame: Frame, modality: Modality, source: str) -> float | None:
    """Return the mirror of a MONOCHROME1 image; None for Hounsfield units, which mean the same however they look."""
    if modality == "CT" or not is_inverted(frame.header):
        return None
    return mirror_of(frame, encoding_of(frame.header, source))


def _decoded_series(series: Series, frames: Sequence[Frame], source: str) -> tuple[Array, str]:
    """Return the voxels (i, j, k) in real units, and the hash of the series."""
    shape = (*frames[0].shape, len(frames))
    check_memory(BYTES_PER_VOXEL * int(np.prod(shape, dtype=object)), f"{source} ({format_shape(shape)})")
    voxels: Array | None = None
    padded = np.zeros(shape if "PixelPaddingValue" in frames[0].header else 0, bool)
    digests = []
    for file, (place, header) in enumerate(zip(series.sources, series.headers, strict=True)):
        data = place.read()
        digests.append(hashlib.sha256(data).hexdigest())
        wanted = {frame.index: k for k, frame in enumerate(frames) if frame.file == file}
        if not wanted:
            continue
        dataset = parsed(data, pixels=True)
        if voxels is None:
            voxels = np.empty(shape, volume_dtype(frames, pixel_keyword(dataset)), order="F")
        pixels = decoded(dataset, source)
        _check_frames(len(pixels), wanted, frames[wanted[min(wanted)]], source)
        padding = encoding_of(header, source).padding
        for index, k in wanted.items():
            voxels[:, :, k] = voxels_of(pixels[index], frames[k])
            if padding is not None and padded.size:
                padded[:, :, k] = ((pixels[index] >= padding[0]) & (pixels[index] <= padding[1])).T
    if voxels is None:
        raise VolumeError(f"{source}: a series must have pixels. Received: none. Export the series again.")
    if padded.size:
        fill_padding(voxels, padded)
    return voxels, hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _check_frames(count: int, wanted: dict[int, int], frame: Frame, source: str) -> None:
    if max(wanted) >= count:
        raise VolumeError(
            f"{source}: every frame must have its pixels. Received: {count} frames of pixels, {max(wanted) + 1} "
            f"described, in the file of {frame.name}. Copy the series again from its source."
        )
