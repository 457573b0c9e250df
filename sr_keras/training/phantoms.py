"""Phantoms to learn from: sharp edges that do not ring, which scans cannot show, since their own edges ring."""

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import smooth_image

Floats = npt.NDArray[np.float32]
# Pixels along each side, shapes in an image, and the least and the greatest half axis of one in pixels.
SIZE, SHAPES, SMALLEST, LARGEST = 192, 24, 2.0, 60.0
# Standard deviations in pixels of the blur of all edges; the largest texture, in normalised intensities, and how its
# amplitude falls with the frequency, as that of tissue does.
LEAST_BLUR, LARGEST_BLUR, LARGEST_TEXTURE, TEXTURE_POWER = 0.4, 0.8, 0.05, 1.5


def phantoms(count: int, generator: np.random.Generator) -> Floats:
    """Return images of ellipses and rectangles at any angle, over a body on air, with a texture.

    Args:
        count: how many.
        generator: the source of randomness.

    Returns:
        (image, row, column), float32, 0 to 1.
    """
    return np.stack([_phantom(generator) for _ in range(count)])


def _phantom(generator: np.random.Generator) -> Floats:
    image = np.zeros((SIZE, SIZE), np.float32)
    body = _inside(generator, np.full(2, SIZE / 2), generator.uniform(0.35, 0.6, 2) * SIZE)
    image[body] = generator.uniform(0.2, 0.7)
    for _ in range(int(generator.integers(SHAPES // 3, SHAPES + 1))):
        half_axes = np.exp(generator.uniform(np.log(SMALLEST), np.log(LARGEST), 2))
        shape = _inside(generator, generator.uniform(0, SIZE, 2), half_axes)
        image[shape & body] = generator.uniform(0.0, 1.0)
    smooth = smooth_image(image, float(generator.uniform(LEAST_BLUR, LARGEST_BLUR)))
    texture = generator.uniform(0.0, LARGEST_TEXTURE) * _texture(generator)
    return np.clip(smooth * (1.0 + texture), 0.0, 1.0).astype(np.float32)


def _inside(
    generator: np.random.Generator, centre: npt.NDArray[np.float64], half_axes: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return which pixels lie in an ellipse, or as often in a rectangle, at a random angle."""
    angle = generator.uniform(0, np.pi)
    rows, columns = (np.arange(SIZE)[:, None] - centre[0], np.arange(SIZE) - centre[1])
    along = np.abs(rows * np.cos(angle) + columns * np.sin(angle)) / half_axes[0]
    across = np.abs(columns * np.cos(angle) - rows * np.sin(angle)) / half_axes[1]
    inside: npt.NDArray[np.bool_] = (
        np.hypot(along, across) < 1.0 if generator.random() < 0.5 else np.maximum(along, across) < 1.0
    )
    return inside


def _texture(generator: np.random.Generator) -> Floats:
    """Return a texture of mean 0 and standard deviation 1."""
    spectrum = np.fft.rfft2(generator.standard_normal((SIZE, SIZE)))
    radius = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE))
    texture = np.fft.irfft2(spectrum / (radius + 0.01) ** TEXTURE_POWER, s=(SIZE, SIZE))
    return np.asarray((texture - texture.mean()) / texture.std(), np.float32)
