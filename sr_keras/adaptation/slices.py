"""What adaptation takes from a scan: some of its in-plane slices, and through-plane images to compare them with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import smooth_image
from sr_keras.adaptation.noise import Noise, noise_of
from sr_keras.errors import VolumeError
from sr_keras.volumes.geometry import format_spacing
from sr_keras.volumes.normalization import evenly, normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.resampling import resample_axis
from sr_keras.volumes.volume import Array, Volume

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
# Slices that are taken at most, and their pixels in all: what they become takes some 25 times as many bytes.
MOST_SLICES, MOST_PIXELS = 48, 1 << 23
# Fewer slices with tissue in them do not leave some to learn from and some to judge by.
LEAST_SLICES = 4
# Every so many slices one is held out.
HELD_OUT = 4
# Spacing of slices over that of pixels below which pixels show nothing that slices do not.
LEAST_RATIO = 1.2
# Through-plane images of each orientation that are looked at, from the middle of the scan.
THROUGH_PLANE_IMAGES = 16
# Pixels along the in-plane axis that the middle of such an image has at least.
LEAST_MIDDLE = 64
# Pixels of the pairs over those of the result, below which they are resampled.
ALIKE = 0.8
# Background of MRI: where the mean in a Gaussian window of so many pixels is below so large a part of the range, or so
# many standard deviations of noise. That of noise alone is 1.25.
WINDOW, DARK, NOISY = 3.0, 0.05, 1.75


@dataclass(frozen=True)
class ScanSlices:
    """Slices of one scan, normalised.

    Attributes:
        slices: (slice, row, column), float32; rows and columns are the in-plane axes in the order of the volume's.
        through_plane: (image, in-plane, depth), float32, the middle of images that show columns, and of those that
            show rows: at the border lie skin and tables.
        spacing: of rows, of columns and of slices, in mm.
        noise: of the slices, normalised.
        background: (slice, row, column), of the slices.
        volume: the scan.
    """

    slices: Floats
    through_plane: tuple[Floats, Floats]
    spacing: tuple[float, float, float]
    noise: Noise
    background: Mask
    volume: Volume

    @property
    def modality(self) -> str:
        """Of the scan: "CT" or "MR"."""
        return str(self.volume.modality)

    def oriented(self) -> list[tuple[Floats, Mask, float]]:
        """Return the slices and their background with each in-plane axis last, and the spacing along it in mm."""
        rows, columns, _ = self.spacing
        turned = np.ascontiguousarray(self.slices.transpose(0, 2, 1))
        return [(self.slices, self.background, columns), (turned, self.background.transpose(0, 2, 1), rows)]


def take_slices(volume: Volume, axis: int, scale: int, count: int = MOST_SLICES) -> ScanSlices:
    """Take slices with tissue from a scan, evenly.

    Pixels that are much finer than what they are to become, which a whole number of them makes, are resampled to fit:
    what they show would be too blurred.

    Args:
        volume: the scan.
        axis: the through-plane axis, 0, 1 or 2.
        scale: of the stage to make.
        count: of slices, at most.

    Raises:
        VolumeError: the in-plane resolution is not finer than the through-plane one, or too few slices show tissue.
    """
    in_plane = [other for other in range(3) if other != axis]
    rows, columns, depth = (volume.spacing[each] for each in (*in_plane, axis))
    if depth < LEAST_RATIO * max(rows, columns):
        raise VolumeError(
            f"{volume.source}: to adapt to, slices must lie at least {LEAST_RATIO:g} pixels apart, not {depth:g} mm at "
            f"pixels of {format_spacing((rows, columns))} mm; super-resolve it without adapting."
        )
    normalization = normalization_of(volume)
    shown = tissue_slices(tissue_mask(volume, normalization), axis)
    if len(shown) < LEAST_SLICES or volume.is_constant:
        raise VolumeError(
            f"{volume.source}: to adapt to, at least {LEAST_SLICES} slices must show tissue, not "
            f"{0 if volume.is_constant else len(shown)}; super-resolve it without adapting."
        )
    pixels = volume.shape[in_plane[0]] * volume.shape[in_plane[1]]
    chosen = evenly(shown, max(LEAST_SLICES, min(count, MOST_PIXELS // pixels)))
    new_rows, new_columns = (_fitting_pixel(each, depth / scale) for each in (rows, columns))
    raw = np.stack([volume.voxels.take(index, axis) for index in chosen])
    raw = _resampled(_resampled(raw, 1, rows, new_rows), 2, columns, new_columns)
    # What lies below the floor of the normalisation bypasses the networks.
    slices = np.maximum(normalization.apply(raw), 0.0)
    tissue = np.stack([tissue_mask(volume.with_voxels(each[..., None]), normalization)[..., 0] for each in raw])
    images = [
        _resampled(
            np.stack([_with_depth_last(volume, axis, other, int(each)) for each in _middle(volume.shape[other])]),
            1,
            *pixel,
        )
        for other, pixel in zip(in_plane, ((columns, new_columns), (rows, new_rows)), strict=True)
    ]
    noise = noise_of(slices, tissue, str(volume.modality))
    columns_shown, rows_shown = (np.maximum(normalization.apply(each), 0.0) for each in images)
    return ScanSlices(
        slices,
        (columns_shown, rows_shown),
        (new_rows, new_columns, depth),
        noise,
        _background(slices, noise, str(volume.modality)),
        volume,
    )


def _background(slices: Floats, noise: Noise, modality: str) -> Mask:
    """Return where slices of an MRI show only background; air in a CT is as scanners measure it, on average."""
    if modality == "CT":
        return np.zeros(slices.shape, bool)
    brightest = max(DARK, NOISY * noise.deviation)
    return np.stack([smooth_image(each, WINDOW) < brightest for each in slices])


def _fitting_pixel(pixel: float, wanted: float) -> float:
    """Return a pixel of which a whole number make one of the result; their own unless they are much finer."""
    whole = max(1, round(wanted / pixel))
    return wanted / whole if pixel * whole < ALIKE * wanted else pixel


def _resampled(images: Array, axis: int, old: float, new: float) -> Array:
    """Return images with the pixels along an axis as large as `new`, where they are not so already."""
    if old == new:
        return images
    return resample_axis(images.astype(np.float32), axis, int(images.shape[axis] * old / new), new / old)


def _with_depth_last(volume: Volume, axis: int, across: int, index: int) -> Array:
    """Return the middle of a through-plane image (in-plane, depth)."""
    image = volume.voxels.take(index, across)
    first = [other for other in range(3) if other != across].index(axis) == 0
    image = image.T if first else image
    margin = max(0, min(len(image) // 4, (len(image) - LEAST_MIDDLE) // 2))
    return np.asarray(image[margin : len(image) - margin])


def _middle(length: int) -> npt.NDArray[np.intp]:
    """Return some indices from the middle half of an axis."""
    return evenly(np.arange(length // 4, max(length - length // 4, length // 4 + 1)), THROUGH_PLANE_IMAGES)
