"""Noise in low-resolution voxels: Rician for MRI, coloured for CT."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def rician(voxels: Floats, sigma: float, generator: np.random.Generator) -> Floats:
    """Return the magnitude of a signal with complex Gaussian noise, float32.

    H. Gudbjartsson, S. Patz, "The Rician distribution of noisy MRI data" (1995), DOI 10.1002/mrm.1910340618.

    Args:
        voxels: any shape, float32.
        sigma: standard deviation of the real and of the imaginary part, in the voxels' units.
        generator: the source of randomness.
    """
    drawn = generator.standard_normal((2, *voxels.shape), np.float32) * np.float32(sigma)
    noisy: Floats = np.hypot(voxels + drawn[0], drawn[1])
    return noisy


def coloured(
    shape: tuple[int, int, int], peak: float, correlation: float, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return noise like that of filtered back-projection: mean 0, standard deviation 1, float32.

    Its in-plane power is f exp(-(f / f0)^2): the ramp of the reconstruction under a smooth kernel. K. M. Hanson,
    "Detectability in computed tomographic images" (1979), DOI 10.1118/1.594534.

    Args:
        shape: (slice, row, column).
        peak: the frequency of the greatest power, in cycles a voxel; 2 line pairs a cm are .15 for voxels of .75 mm.
        correlation: between neighbouring slices, at most .5.
        generator: the source of randomness.
    """
    slices, rows, columns = shape
    drawn = generator.standard_normal((slices + 1, rows, columns), np.float32)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    amplitude = np.sqrt(frequency * np.exp(-np.square(frequency / (peak * np.sqrt(2.0)))))
    filtered = np.fft.irfft2(np.fft.rfft2(drawn) * amplitude.astype(np.float32), s=(rows, columns))
    # A moving average of two has the correlation b / (1 + b^2).
    weight = (1.0 - np.sqrt(max(0.0, 1.0 - 4.0 * correlation**2))) / (2.0 * correlation) if correlation > 0.0 else 0.0
    noise = filtered[1:] + weight * filtered[:-1]
    full = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns))
    power = np.mean(full * np.exp(-np.square(full / (peak * np.sqrt(2.0)))))
    return np.asarray(noise / np.sqrt(power * (1.0 + weight**2)), np.float32)
