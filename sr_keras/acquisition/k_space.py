"""MRI in-plane: the middle of a slice's k-space, under a window, with complex noise before the magnitude."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Window = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def acquire_k_space(
    images: npt.NDArray[np.float32],
    factors: tuple[int, int],
    window: Window | None = None,
    *,
    acquired: tuple[float, float] = (1.0, 1.0),
    partial_fourier: float = 1.0,
    noise: float = 0.0,
    generator: np.random.Generator | None = None,
) -> npt.NDArray[np.float32]:
    """Return the magnitude images that a smaller part of k-space gives, at the centres of the low-resolution voxels.

    H. Gudbjartsson, S. Patz, "The Rician distribution of noisy MRI data" (1995), DOI 10.1002/mrm.1910340618.

    Args:
        images: (slice, row, column), float32, whole slices; rows and columns are multiples of their factors.
        factors: by how much rows and columns get fewer.
        window: takes the frequency along an axis over the Nyquist frequency of the acquired matrix; laid over the rows
            and over the columns. None lays none.
        acquired: the part of the low-resolution matrix that is acquired along rows and columns; the rest is
            zero-filled.
        partial_fourier: the part of the acquired rows' frequencies that is measured, from one end; 0.5 to 1.
        noise: standard deviation of the real and of the imaginary part where all of k-space is kept, in the images'
            units. It passes the window as the signal does.
        generator: of the noise; None draws from a new one, seed 0.

    Returns:
        (slice, rows / factor, columns / factor), float32, never negative.
    """
    spectrum: npt.NDArray[np.complexfloating] = np.fft.fft2(images.astype(np.float32))
    for axis, factor in zip((1, 2), factors, strict=True):
        spectrum = _cropped(spectrum, axis, factor)
    if noise > 0.0:
        generator = np.random.default_rng(0) if generator is None else generator
        drawn = generator.standard_normal((2, *spectrum.shape), np.float32)
        # A transform of n values with this deviation has noise of `noise` after the inverse.
        spectrum = spectrum + (drawn[0] + 1j * drawn[1]) * (noise * np.sqrt(spectrum.shape[1] * spectrum.shape[2]))
    for axis in (1, 2):
        kept = partial_fourier if axis == 1 else 1.0
        weights = _weights(spectrum.shape[axis], window, acquired[axis - 1], kept)
        spectrum = spectrum * weights[:, None] if axis == 1 else spectrum * weights
    return np.abs(np.fft.ifft2(spectrum)).astype(np.float32)


def _cropped(spectrum: npt.NDArray[np.complexfloating], axis: int, factor: int) -> npt.NDArray[np.complexfloating]:
    """Keep the low frequencies of an axis and move its samples to the centres of the new voxels."""
    length = spectrum.shape[axis]
    new_length = length // factor
    frequencies = np.rint(np.fft.fftfreq(new_length) * new_length).astype(int)
    shift = np.exp(2j * np.pi * frequencies * (0.5 * (factor - 1)) / length) / factor
    kept = spectrum.take(frequencies % length, axis)
    shape = [1] * spectrum.ndim
    shape[axis] = new_length
    shifted: npt.NDArray[np.complexfloating] = kept * shift.reshape(shape).astype(np.complex64)
    return shifted


def _weights(length: int, window: Window | None, acquired: float, measured: float) -> npt.NDArray[np.float32]:
    """Return what each frequency of an axis is multiplied by, in the order of `fftfreq`, float32."""
    signed = np.fft.fftfreq(length) * 2.0 / acquired
    magnitude = np.abs(signed)
    weights = np.ones(length) if window is None else window(np.minimum(magnitude, 1.0))
    weights = np.where(magnitude <= 1.0, weights, 0.0)
    # Of -1 to 1, the part `measured` is kept, from 1 downwards.
    weights = np.where(signed >= 1.0 - 2.0 * measured, weights, 0.0)
    result: npt.NDArray[np.float32] = weights.astype(np.float32)
    return result
