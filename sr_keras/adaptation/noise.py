"""The noise of a scan, in-plane: how strong it is at each frequency, whatever the direction."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.fingerprint import KERNEL_NORM
from sr_keras.acquisition.profiles import smooth_image

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
# White noise is measured where it is least, by the standard deviation in a Gaussian window of this many pixels.
WINDOW, QUIET_SHARE = 3.0, 0.15
# Coloured noise is measured in square pieces of this many pixels, so many pixels apart, of about so many slices: in the
# quietest share of them.
PIECE, STEP, QUIETEST, SLICES = 16, 6, 0.05, 12


@dataclass(frozen=True)
class Noise:
    """The noise of slices.

    Attributes:
        powers: at 0, 1 / `PIECE`, 2 / `PIECE`... cycles a pixel, in any direction; of white noise all are its variance.
    """

    powers: tuple[float, ...]

    @property
    def deviation(self) -> float:
        """The standard deviation, in the units of the slices."""
        return float(np.sqrt(self.at(*(np.fft.fftfreq(64),) * 2).mean()))

    def at(self, rows: Spectrum, columns: Spectrum) -> Spectrum:
        """Return the power (row, column) at frequencies along both axes, in cycles a pixel."""
        places = np.arange(len(self.powers)) / PIECE
        return np.asarray(np.interp(np.hypot(rows[:, None], columns), places, self.powers))


def noise_of(slices: Floats, tissue: Mask, modality: str) -> Noise:
    """Return the noise of a scan.

    MRI has white noise, which shows at the highest frequencies. That of CT is coloured, so quiet places show it.

    Args:
        slices: (slice, row, column), float32.
        tissue: (slice, row, column).
        modality: "CT" or "MR".
    """
    if modality == "CT":
        return _coloured(slices, tissue)
    estimates = [_white(image, mask) for image, mask in zip(slices, tissue, strict=True) if mask[1:-1, 1:-1].any()]
    return Noise((float(np.median(estimates)) ** 2 if estimates else 0.0,))


def _white(image: Floats, tissue: Mask) -> float:
    rows = image[:-2] - 2.0 * image[1:-1] + image[2:]
    response = rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]
    deviation = np.sqrt(np.maximum(smooth_image(np.square(response), WINDOW), 0.0))
    return float(np.quantile(deviation[tissue[1:-1, 1:-1]], QUIET_SHARE)) / KERNEL_NORM


def _coloured(slices: Floats, tissue: Mask) -> Noise:
    power = _quiet_power(slices, tissue)
    if power is None:
        return Noise((0.0,))
    frequencies = np.fft.fftfreq(PIECE)
    rings = np.rint(np.hypot(frequencies[:, None], frequencies) * PIECE).astype(int)
    powers = np.bincount(rings.ravel(), power.ravel()) / np.bincount(rings.ravel())
    # What lies below the first frequency went with the planes.
    return Noise((float(powers[1]), *map(float, powers[1:])))


def _quiet_power(images: Floats, tissue: Mask) -> Spectrum | None:
    """Return the power spectrum of what is quietest; None where no piece shows tissue alone."""
    if min(images.shape[1:]) < PIECE:
        return None
    every = max(1, len(images) // SLICES)
    pieces = np.concatenate([_pieces(*each) for each in zip(images[::every], tissue[::every], strict=True)])
    if not len(pieces):
        return None
    deviations = pieces.std(axis=(1, 2))
    window = np.outer(*(np.hanning(PIECE + 2)[1:-1],) * 2)
    quiet = pieces[deviations <= np.quantile(deviations, QUIETEST)] * window
    return np.asarray(np.square(np.abs(np.fft.fft2(quiet))).mean(axis=0) / np.square(window).sum())


def _pieces(image: Floats, tissue: Mask) -> Floats:
    """Return the pieces of a slice (piece, row, column) that show tissue alone, without the plane that fits each."""
    pieces, shown = (
        np.lib.stride_tricks.sliding_window_view(each, (PIECE, PIECE))[::STEP, ::STEP].reshape(-1, PIECE, PIECE)
        for each in (image, tissue)
    )
    pieces = pieces[shown.all(axis=(1, 2))]
    slope = np.arange(PIECE, dtype=np.float32) - (PIECE - 1) / 2
    slope /= np.float32(np.sqrt(np.square(slope).sum() * PIECE))
    pieces = pieces - pieces.mean(axis=(1, 2), keepdims=True)
    for plane in (np.broadcast_to(slope[:, None], (PIECE, PIECE)), np.broadcast_to(slope, (PIECE, PIECE))):
        pieces = pieces - np.tensordot(pieces, plane, 2)[:, None, None] * plane
    return np.asarray(pieces, np.float32)
