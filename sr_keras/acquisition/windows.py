"""Windows that MRI scanners lay over k-space, as functions of the frequency over the Nyquist frequency."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def fermi(frequency: Floats, cutoff: float, width: float) -> Floats:
    """Return the Fermi window 1 / (1 + exp((u - cutoff) / width)).

    M. A. Bernstein, K. F. King, X. J. Zhou, "Handbook of MRI Pulse Sequences" (2004), ISBN 978-0-12-092861-3,
    section 13.1.

    Args:
        frequency: any shape, >= 0, relative to the Nyquist frequency of the acquired matrix.
        cutoff: where the window is one half, relative to the Nyquist frequency.
        width: how fast it falls there, relative to the Nyquist frequency.
    """
    return 1.0 / (1.0 + np.exp((frequency - cutoff) / width))


def tukey(frequency: Floats, taper: float) -> Floats:
    """Return the Tukey window: 1 up to `1 - taper`, from there a half cosine to 0 at the Nyquist frequency.

    F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform" (1978),
    DOI 10.1109/PROC.1978.10837.

    Args:
        frequency: any shape, >= 0, relative to the Nyquist frequency of the acquired matrix.
        taper: the part of the frequencies that is tapered, above 0, at most 1.
    """
    position = np.clip((frequency - (1.0 - taper)) / taper, 0.0, 1.0)
    return 0.5 + 0.5 * np.cos(np.pi * position)


def hamming(frequency: Floats, alpha: float) -> Floats:
    """Return the generalised Hamming window alpha + (1 - alpha) cos(pi u).

    F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform" (1978),
    DOI 10.1109/PROC.1978.10837.

    Args:
        frequency: any shape, 0 to 1, relative to the Nyquist frequency of the acquired matrix.
        alpha: .54 for Hamming's own, .5 for Hann's, 1 for none.
    """
    return alpha + (1.0 - alpha) * np.cos(np.pi * frequency)
