"""Pairs: what is reduced how, which noise they have, and where patches come from."""

import numpy as np
import pytest

from sr_keras.adaptation.noise import Noise
from sr_keras.adaptation.pairs import Pairs, PatchSampler, Reduction, make_pairs
from sr_keras.errors import VolumeError
from sr_keras.volumes.resampling import downsample_volume


def test_slices_without_noise_are_reduced_by_the_profile_along_their_last_axis():
    slices = np.array([[[1, 3, 5, 7], [2, 2, 8, 8]]], np.float32)
    pairs = make_pairs(slices, Reduction(2, "box", 1.0), 1, Noise((0.0,)), np.random.default_rng(0))
    np.testing.assert_allclose(pairs.low, [[[2, 6], [2, 8]]], rtol=1e-6)
    np.testing.assert_array_equal(pairs.target, slices)


def test_the_targets_of_coarser_slices_are_antialiased_and_what_does_not_divide_is_left_out():
    slices = np.random.default_rng(0).random((2, 5, 27), np.float32)
    pairs = make_pairs(slices, Reduction(2, "box", 1.0), 3, Noise((0.0,)), np.random.default_rng(0))
    np.testing.assert_allclose(pairs.low, slices[..., :24].reshape(2, 5, 4, 6).mean(-1), rtol=1e-5)
    np.testing.assert_allclose(pairs.target, downsample_volume(slices[..., :24], (1, 1, 3)), rtol=1e-5)


@pytest.mark.parametrize(("profile", "scale", "coarsening"), [("slr", 2, 1), ("gaussian", 4, 1), ("box", 2, 2)])
def test_the_noise_of_a_pair_has_the_level_of_the_scan_and_is_not_that_of_the_target(profile, scale, coarsening):
    generator = np.random.default_rng(0)
    slices = 0.1 * generator.standard_normal((40, 200, 32), np.float32)
    pairs = make_pairs(slices, Reduction(scale, profile, 1.0), coarsening, Noise((0.01,)), generator, noise_kept=0.0)
    low, target = (each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (pairs.low, pairs.target))
    covariance = low.T @ low / len(low) / 0.01
    # Near the ends, where a profile is mirrored, it is not quite so.
    np.testing.assert_allclose(covariance[2:-2, 2:-2], np.eye(low.shape[1] - 4), atol=0.06)
    shared = low.T @ target / len(low) / 0.01
    assert np.abs(shared[2:-2]).max() < 0.06
    kept = make_pairs(slices, Reduction(scale, profile, 1.0), coarsening, Noise((0.01,)), generator)
    assert np.abs(kept.low.reshape(-1, low.shape[1]).T @ kept.target.reshape(len(low), -1)).max() / len(low) > 0.001


def test_patches_come_from_where_there_is_detail_and_are_the_same_for_a_seed():
    low = np.zeros((2, 40, 40), np.float32)
    low[1, 20:, 20:] = np.random.default_rng(0).random((20, 20))
    target = np.repeat(low, 2, axis=2)
    sampler = PatchSampler([Pairs(low, target)], 2, (12, 10))
    images, targets = sampler.draw(64, np.random.default_rng(1))
    assert images.shape == (64, 12, 10, 1)
    assert targets.shape == (64, 12, 20, 1)
    # Of three quarters of the places nothing can be seen; a gradient reaches one pixel further than what changes.
    assert (np.ptp(images, axis=(1, 2, 3)) > 0).mean() > 0.9
    # Mirrored or not, both are of one place.
    np.testing.assert_array_equal(np.repeat(images, 2, axis=2), targets)
    again, _ = sampler.draw(64, np.random.default_rng(1))
    np.testing.assert_array_equal(images, again)


def test_images_without_detail_are_refused():
    flat = Pairs(np.ones((2, 40, 40), np.float32), np.ones((2, 40, 80), np.float32))
    with pytest.raises(
        VolumeError, match="Slices without detail have nothing to learn from; super-resolve without adapting"
    ):
        PatchSampler([flat], 2, (12, 10))
