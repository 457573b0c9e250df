"""Noise for pairs, such that a network need not learn to give back noise, though no slice is free of it.

Where y is a slice with noise n of covariance C, and A reduces it, the low-resolution image is A y + m, m drawn so that
all of its noise, A n + m, is that of the scan's own through-plane images. With the target y - C A' S^-1 m, S being the
covariance of m, the noise of the two is uncorrelated, and least squares lead to the noise-free image; with the target y
they lead to noise that is sharpened as the image is. T. Pang et al., "Recorrupted-to-Recorrupted", CVPR 2021, DOI
10.1109/CVPR46437.2021.00208, do the former for images of one size. At each frequency all of these are numbers.
"""

import numpy as np
import numpy.typing as npt

from sr_keras.adaptation.noise import Noise

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex128]
# Least power that is drawn in addition, over that of the scan: keeps S invertible.
LEAST_POWER = 0.02


class Corruption:
    """Draws the noise of pairs.

    Args:
        to_low: (depth, column), reduces the last axis of slices; each row is the one before it, moved.
        rows: of the slices.
        noise: of the slices.
    """

    def __init__(self, to_low: Floats, rows: int, noise: Noise) -> None:
        depth, columns = to_low.shape
        self._factor = columns // depth
        middle = depth // 2
        kernel = np.roll(to_low[middle].astype(np.float64), -middle * self._factor)
        response = np.conj(np.fft.fft(kernel))
        along, across = np.fft.fftfreq(rows), np.fft.fftfreq(columns)
        power = noise.at(along, across)
        reduced = (power * np.abs(response) ** 2).reshape(rows, self._factor, depth).mean(axis=1)
        # Neighbouring slices have noise of their own: through plane it is white.
        wanted = noise.at(along, along).mean(axis=1, keepdims=True)
        self._drawn = np.maximum(wanted - reduced, LEAST_POWER * wanted)
        self._shared = power * np.conj(response)

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return m (row, depth), and C A' S^-1 m (row, column), float32."""
        white = np.fft.fft2(generator.standard_normal(self._drawn.shape, np.float32))
        drawn = np.sqrt(self._drawn) * white
        weighted = np.tile(drawn / self._drawn, (1, self._factor))
        return _real(drawn), _real(self._shared * weighted)


def _real(spectrum: Spectrum) -> Floats:
    return np.fft.ifft2(spectrum).real.astype(np.float32)
