"""What the page shows: a scan, its result and maps of it, cut to one box that leaves the page small enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
from nibabel.orientations import io_orientation

from sr_keras.errors import VolumeError
from sr_keras.inference.output_grid import Grid
from sr_keras.report.boxes import Box, box_on, cropped, lengths, shrunk, tissue_box, whole_box
from sr_keras.report.coding import Coding, ct_coding, even_coding, halved, nifti_header, packed
from sr_keras.report.sharpness import matching_axes
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.volume import Volume

# Voxels of all volumes in a page, so that a laptop draws them quickly, and characters that they take.
MOST_VOXELS, MOST_CHARACTERS = 32_000_000, 22_500_000
# A smaller box than the share asks for: what is cut off compresses otherwise than what stays.
CAUTION = 0.95
# MRI is stored up to this much above the ceiling of its grey values, which is not its greatest value.
HEADROOM = 1.25
# A map of such a part of the scan's spacing or less is finer.
FINER = 0.75
# The part of its scan that a result covers at least, unless it was put onto another grid.
LEAST_COVER = 0.5
# The part of the values of a map that its colours reach.
SHOWN = 99.9


@dataclass(frozen=True)
class Layer:
    """A volume as the page holds it.

    Attributes:
        header: of a NIfTI-1 file, base64.
        shape: voxels along i, j, k.
        values: of the codes where these are uneven; None where the header's slope gives them.
        range: values of the first and of the last colour.
        codes: see `packed`.
    """

    header: str
    shape: tuple[int, int, int]
    values: tuple[float, ...] | None
    range: tuple[float, float]
    codes: str = field(repr=False)


@dataclass(frozen=True)
class Layers:
    """The volumes of a page.

    Attributes:
        layers: by name: scan, result and maps.
        maps: cut to the box, and halved along axes on which they are finer than the scan, as they are shown.
        share: of the tissue's box that is shown, from 0 to 1.
        size: of the box, mm along the scan's axes.
        centre: of the box, mm in RAS+.
        step: voxels of the result, mm along the patient's axes x, y, z.
    """

    layers: Mapping[str, Layer]
    maps: Mapping[str, Volume]
    share: float
    size: tuple[float, float, float]
    centre: tuple[float, float, float]
    step: tuple[float, float, float]


def fit_layers(scan: Volume, result: Volume, maps: Mapping[str, Volume]) -> Layers:
    """Cut a scan, its result and maps to one box around the scan's tissue, as large as a page has room for.

    Args:
        scan: in its own units.
        result: of the scan, on another grid.
        maps: "uncertainty" (0 and above) and "residual", in the scan's units.

    Raises:
        VolumeError: the result or a map does not lie over the scan.
    """
    coding, window = scan_coding(scan)
    whole = tissue_box(scan)
    share = 1.0
    while True:
        box = common_box(shrunk(whole, scan.spacing, share), scan, result)
        cut = {"scan": cropped(scan, box), "result": _cut(result, box, scan)}
        small = {name: _coarsened(_cut(each, box, scan), scan) for name, each in maps.items()}
        room = MOST_VOXELS / sum(each.voxels.size for each in (*cut.values(), *small.values()))
        if room >= 1.0:
            layers = {name: layer_of(each, coding, window) for name, each in cut.items()}
            layers |= {name: _map_layer(name, each) for name, each in small.items()}
            room = MOST_CHARACTERS / sum(len(each.codes) for each in layers.values())
            if room >= 1.0:
                return Layers(layers, small, share, _size(box, scan), _centre(box, scan), _step(result))
        share *= room * CAUTION


def scan_coding(scan: Volume) -> tuple[Coding, tuple[float, float]]:
    """Return the coding of a scan and of its results, and the values that are black and white at first."""
    normalization = normalization_of(scan)
    if scan.modality == "CT":
        return ct_coding(), (-160.0, 240.0)
    most = normalization.floor + HEADROOM * normalization.data_range
    return even_coding(normalization.floor, most), (normalization.floor, normalization.ceiling)


def common_box(box: Box, scan: Volume, result: Volume) -> Box:
    """Return the part of a box of a scan that lies on the grid of its result.

    Raises:
        VolumeError: there is none.
    """
    on_result = box_on(box, scan.affine, result.affine, result.shape)
    if prod(lengths(on_result)) == 0:
        raise VolumeError(f"{result.source} does not lie over {scan.source}; name the scan that it was made of.")
    on_scan = box_on(on_result, result.affine, scan.affine, scan.shape)
    i, j, k = (
        slice(max(one.start, other.start), min(one.stop, other.stop)) for one, other in zip(box, on_scan, strict=True)
    )
    return i, j, k


def check_cover(result: Volume, scan: Grid) -> None:
    """Refuse a result that covers but a corner of a scan.

    Raises:
        VolumeError: as said.
    """
    covered = lengths(box_on(whole_box(result.shape), result.affine, scan.affine, scan.shape))
    share = prod(covered) / prod(scan.shape)
    # What lies wholly beyond is refused by `common_box`.
    if 0.0 < share < LEAST_COVER:
        raise VolumeError(
            f"{result.source} covers {100 * share:.2g} % of {scan.name}; name the scan that it was made of."
        )


def check_map(volume: Volume, grid: Grid) -> None:
    """Refuse a map that does not cover the field of view of a scan or a result, to a voxel.

    Raises:
        VolumeError: as said.
    """
    mapped = box_on(whole_box(grid.shape), grid.affine, volume.affine, volume.shape)
    covered = box_on(whole_box(volume.shape), volume.affine, grid.affine, grid.shape)
    if lengths(mapped) != volume.shape or lengths(covered) != grid.shape:
        raise VolumeError(f"{volume.source} does not lie over {grid.name}; name the map that was made with it.")


def layer_of(volume: Volume, coding: Coding, window: tuple[float, float]) -> Layer:
    """Return a volume as the page holds it.

    Args:
        volume: cut to what is shown.
        coding: of its values.
        window: values of the first and of the last colour.
    """
    values = None if coding.is_even else coding.values
    header = nifti_header(volume.shape, volume.affine, coding)
    return Layer(header, volume.shape, values, window, packed(coding.encode(volume.voxels)))


def _map_layer(name: str, volume: Volume) -> Layer:
    sizes = np.abs(volume.voxels)
    greatest = float(sizes.max()) or 1.0
    shown = float(np.percentile(sizes, SHOWN)) or greatest
    least, low = (-greatest, -shown) if name == "residual" else (0.0, 0.0)
    return layer_of(volume, even_coding(least, greatest), (low, shown))


def _coarsened(volume: Volume, scan: Volume) -> Volume:
    """Return a map with the mean of two voxels in the place of both, along axes on which it is finer than a scan."""
    matching = matching_axes(volume.affine, scan.affine)
    return halved(volume, [volume.spacing[axis] < FINER * scan.spacing[matching[axis]] for axis in range(3)])


def _cut(volume: Volume, box: Box, scan: Volume) -> Volume:
    return cropped(volume, box_on(box, scan.affine, volume.affine, volume.shape))


def _size(box: Box, scan: Volume) -> tuple[float, float, float]:
    i, j, k = (length * size for length, size in zip(lengths(box), scan.spacing, strict=True))
    return i, j, k


def _centre(box: Box, scan: Volume) -> tuple[float, float, float]:
    middle = np.array([(side.start + side.stop - 1) / 2 for side in box])
    x, y, z = (scan.affine[:3, :3] @ middle + scan.affine[:3, 3]).tolist()
    return x, y, z


def _step(result: Volume) -> tuple[float, float, float]:
    """Return the spacing of a grid along the patient's axes."""
    axes = io_orientation(result.affine)[:, 0].astype(int).tolist()
    x, y, z = (result.spacing[axes.index(axis)] for axis in range(3))
    return x, y, z
