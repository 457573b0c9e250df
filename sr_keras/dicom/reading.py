"""Read a DICOM series into a `Volume`."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sr_keras.dicom.decoding import Decoder
from sr_keras.dicom.finding import Series, choose_series, find_series
from sr_keras.dicom.frames import Frame, frames_of
from sr_keras.dicom.grid import check_planes, check_stack, lps_affine, ras_affine, sorted_frames
from sr_keras.dicom.groups import frame_groups, one_group
from sr_keras.dicom.parsing import quiet
from sr_keras.dicom.pixels import (
    encoding_of,
    fill_padding,
    is_inverted,
    mirror_of,
    narrowed,
    stored_pixels,
    volume_dtype,
    voxels_of,
)
from sr_keras.dicom.refusals import check_component, check_kind, modality_of
from sr_keras.errors import VolumeError
from sr_keras.resources import check_memory
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Array, Modality, Volume, format_shape

Shape = tuple[int, int, int]

# Bytes a voxel while a series is decoded: stored, in real units, narrowed.
BYTES_PER_VOXEL = 12


@dataclass(frozen=True, eq=False)
class DicomHeader:
    """Where a volume came from, for the writer.

    Attributes:
        frames: one for each k, with the data sets of their files.
        sha256: of the series: the hash of its files' hashes, sorted, hexadecimal.
        mirror: the volume's values are this minus the file's, for a MONOCHROME1 image without absolute units.
        integer: whether stored values are integers.
        compression: bytes of the pixels over bytes of the files.
    """

    frames: tuple[Frame, ...]
    sha256: str
    mirror: float | None
    integer: bool
    compression: float


@quiet()
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
    check_component(frames, modality, source)
    check_stack(frames, source)
    affine = ras_affine(lps_affine(frames))
    mirror = _mirror(frames[0], known, source)
    voxels, origin = _decoded_series(chosen, frames, source)
    header = DicomHeader(tuple(frames), origin.sha256, mirror, origin.integer, origin.compression)
    if mirror is not None:
        voxels = (mirror - voxels).astype(voxels.dtype)
    return Volume(narrowed(voxels), affine, known, source, header)


@quiet()
def geometries_of(series: Series, source: str, modality: Modality | None = None) -> list[tuple[Shape, Affine]]:
    """Return shape and affine of each volume in a series, from its headers alone.

    Args:
        series: as `find_series` returns it.
        source: what messages call it.
        modality: as in `read_series`.

    Returns:
        For each group of frames voxels along i, j, k, and the 4 x 4 matrix from voxel indices to mm in RAS+.

    Raises:
        VolumeError: the headers say that it is no volume of CT or MR on a regular grid.
    """
    check_kind(series.headers, source)
    if modality is None:
        modality_of(series.headers[0], source)
    frames = frames_of(series.headers, source)
    check_planes(frames, source)
    return [_geometry(sorted_frames(group), modality, source) for group in frame_groups(frames, source)[1]]


def _geometry(frames: Sequence[Frame], modality: Modality | None, source: str) -> tuple[Shape, Affine]:
    check_component(frames, modality, source)
    check_stack(frames, source)
    columns, rows = frames[0].shape
    return (columns, rows, len(frames)), ras_affine(lps_affine(frames))


def _mirror(frame: Frame, modality: Modality, source: str) -> float | None:
    """Return the mirror of a MONOCHROME1 image; None for Hounsfield units, which mean the same however they look."""
    if modality == "CT" or not is_inverted(frame.header):
        return None
    return mirror_of(frame, encoding_of(frame.header, source))


def _decoded_series(series: Series, frames: Sequence[Frame], source: str) -> tuple[Array, "_Origin"]:
    """Return the voxels (i, j, k) in real units, and what is known of their files."""
    shape = (*frames[0].shape, len(frames))
    check_memory(BYTES_PER_VOXEL * int(np.prod(shape, dtype=object)), f"{source} ({format_shape(shape)})")
    keyword = ""
    voxels = np.empty(0)
    padded = np.zeros(shape if "PixelPaddingValue" in frames[0].header else 0, bool)
    digests, size = [], 0
    wanted: dict[int, list[tuple[int, int, Frame]]] = defaultdict(list)
    for k, frame in enumerate(frames):
        wanted[frame.file].append((frame.index, k, frame))
    with Decoder() as decoder:
        for file, place in enumerate(series.sources):
            digests.append(place.sha256())
            if file not in wanted:
                continue
            size += place.size * len(wanted[file]) // (max(index for index, _, _ in wanted[file]) + 1)
            pixels_in, pixels = stored_pixels(place, series.headers[file], decoder, source)
            if not keyword:
                keyword = pixels_in
                voxels = np.empty(shape, volume_dtype(frames, keyword), order="F")
            _fill(voxels, padded, pixels, wanted[file], source)
    if padded.size:
        fill_padding(voxels, padded)
    digest = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
    return voxels, _Origin(digest, keyword == "PixelData", 2 * voxels.size / max(size, 1))


@dataclass(frozen=True)
class _Origin:
    sha256: str
    integer: bool
    compression: float


def _fill(voxels: Array, padded: Array, pixels: Array, wanted: Sequence[tuple[int, int, Frame]], source: str) -> None:
    """Put frames of one file, (index in it, k, frame), in their places of the volume."""
    for index, k, frame in wanted:
        if index >= len(pixels):
            raise VolumeError(
                f"{source}: every frame must have its pixels. Received: {len(pixels)} frames of pixels for "
                f"{frame.name}. Copy the series again from its source."
            )
        voxels[:, :, k] = voxels_of(pixels[index], frame)
        padding = encoding_of(frame.header, source).padding
        if padding is not None and padded.size:
            padded[:, :, k] = ((pixels[index] >= padding[0]) & (pixels[index] <= padding[1])).T
