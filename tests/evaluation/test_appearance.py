from math import erf

import numpy as np
import pytest

from sr_keras.acquisition.profiles import smooth_image
from sr_keras.evaluation.appearance import lattice, measure_edge, noise_level

TISSUE = np.ones((128, 128), bool)


def test_noise_is_what_a_gaussian_of_two_pixels_takes_away():
    noise = np.random.default_rng(0).normal(0.5, 0.02, (128, 128)).astype(np.float32)
    # 1 - g leaves 1 - 2 g(0) + |g|^2 of the variance of white noise: g(0) = 1 / (2 pi s^2), |g|^2 = 1 / (4 pi s^2).
    expected = 0.02 * np.sqrt(1 - 1 / (4 * np.pi) + 1 / (16 * np.pi))
    assert noise_level(noise, TISSUE) == pytest.approx(expected, rel=0.03)


def test_structure_outside_of_flat_tissue_is_no_noise():
    image = np.random.default_rng(0).normal(0.5, 0.02, (128, 128)).astype(np.float32)
    edges = image.copy()
    edges[:, 40:80] += 1.0
    assert noise_level(edges, TISSUE) == pytest.approx(noise_level(image, TISSUE), rel=0.05)


def test_a_smooth_image_has_no_lattice_and_a_chequered_one_has():
    image = smooth_image(np.random.default_rng(0).random((128, 128), np.float32), 1.0)
    assert lattice(image[None], TISSUE[None]) == pytest.approx(1.0, abs=0.05)
    image[::2, ::2] += 0.1
    assert lattice(image[None], TISSUE[None]) > 1.5


def test_a_lattice_by_chance_is_smaller_in_many_slices_than_in_one():
    generator = np.random.default_rng(0)
    slices = np.stack([smooth_image(generator.random((64, 64), np.float32), 1.0) for _ in range(16)])
    tissue = np.ones(slices.shape, bool)
    alone = [lattice(slices[index : index + 1], tissue[:1]) for index in range(16)]
    assert lattice(slices, tissue) - 1.0 < 0.5 * (np.mean(alone) - 1.0)


def test_the_lattice_of_a_pattern_is_the_ratio_of_its_laplacians_by_hand():
    pattern = np.zeros((1, 64, 64), np.float32)
    pattern[:, ::2, ::2], pattern[:, 1::2, 1::2] = 1.0, 0.5
    tissue = np.zeros(pattern.shape, bool)
    tissue[:, 8:-8, 8:-8] = True
    # At pixels of 1 it is 4 * 1, at those of 0.5 4 * 0.5, at zeros 1 + 1 + 0.5 + 0.5.
    assert lattice(pattern, tissue) == pytest.approx(4.0 / 2.0)


def test_the_edge_of_a_gaussian_blur_is_as_wide_as_the_error_function_says():
    sigma = 4.0
    profile = [200 + 300 * (1 + erf((x - 40) / (sigma * 2**0.5))) for x in range(81)]
    edge = measure_edge(np.array(profile), 200, 800, spacing=0.5)
    # From 10 to 90 % a Gaussian's integral takes 2.5631 standard deviations.
    assert edge.spread == pytest.approx(2.5631 * sigma * 0.5, rel=0.01)
    assert edge.ringing == pytest.approx(0.0, abs=1e-6)


def test_an_overshoot_is_ringing_on_either_side():
    assert measure_edge(np.array([0, 0, -0.1, 1.05, 1, 1]), 0, 1, 1.0).ringing == pytest.approx(10.0)
    assert measure_edge(np.array([0, 0, -0.05, 1.2, 1, 1]), 0, 1, 1.0).ringing == pytest.approx(20.0)
