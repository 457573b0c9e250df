import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from sr_keras.acquisition.degradation import downsample_images, gaussian_blur
from sr_keras.volumes.resampling import downsample_volume


@pytest.fixture
def images():
    return np.random.default_rng(1).random((3, 24, 36, 1)).astype(np.float32)


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_each_image_is_blurred_by_its_own_sigma_as_scipy_does_it(images, kernel_size):
    sigmas = np.array([0.0, 0.3, 0.5], np.float32)
    blurred = np.asarray(gaussian_blur(images, sigmas, kernel_size))
    np.testing.assert_array_equal(blurred[0], images[0])
    for image, result, sigma in zip(images[1:], blurred[1:], sigmas[1:], strict=True):
        expected = gaussian_filter(image[..., 0], sigma, radius=kernel_size // 2, mode="reflect")
        np.testing.assert_allclose(result[..., 0], expected, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downsampling_equals_pillow_away_from_the_border(images, scale):
    reduced = np.asarray(downsample_images(images, scale, (1, 2)))
    for image, result in zip(images, reduced, strict=True):
        pillow = Image.fromarray(image[..., 0]).resize((36 // scale, 24 // scale), Image.Resampling.BICUBIC)
        np.testing.assert_allclose(result[2:-2, 2:-2, 0], np.asarray(pillow)[2:-2, 2:-2], atol=1e-6)


def test_training_and_evaluation_downsample_alike(images):
    np.testing.assert_allclose(
        np.asarray(downsample_images(images, 2, (2,)))[..., 0], downsample_volume(images[..., 0], (1, 1, 2)), atol=1e-6
    )
