import numpy as np
import pytest

from sr_keras.acquisition.noise import coloured
from sr_keras.acquisition.profiles import smooth_image
from sr_keras.training.denoising import denoise, estimate_noise


def blocks(shape=(4, 96, 96)):
    """Flat tissue with a bright block in air."""
    slices = np.zeros(shape, np.float32)
    slices[:, 8:-8, 8:-8] = 0.4
    slices[:, 30:50, 30:50] = 0.8
    return slices


@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_the_noise_of_flat_tissue_is_found(sigma):
    truth = blocks()
    noisy = truth + sigma * np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    assert estimate_noise(noisy, truth > 0) == pytest.approx(sigma, rel=0.15)


def test_coloured_noise_is_found_too():
    truth = blocks()
    noisy = truth + 0.02 * coloured(truth.shape, 0.2, 0.0, np.random.default_rng(0))
    assert estimate_noise(noisy, truth > 0) == pytest.approx(0.02, rel=0.3)


def test_structure_is_no_noise():
    image = blocks() + 0.2 * smooth_image(np.random.default_rng(0).standard_normal((96, 96)).astype(np.float32), 6.0)
    assert estimate_noise(image, blocks() > 0) < 0.01


def test_a_scan_without_tissue_has_none():
    assert estimate_noise(np.zeros((2, 16, 16), np.float32), np.zeros((2, 16, 16), bool)) == 0.0


def test_denoising_takes_the_noise_and_leaves_the_edges():
    truth = blocks()[0]
    noisy = truth + 0.03 * np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    result = denoise(noisy, 0.03)
    assert (result - truth).std() < 0.4 * (noisy - truth).std()
    assert np.abs(result - truth).max() < 0.15


def test_without_noise_a_slice_stays_what_it_is():
    assert (denoise(blocks()[0], 0.0) == blocks()[0]).all()
