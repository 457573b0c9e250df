from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from sr_keras.training.configuration import DegradationConfiguration, parse_configuration
from sr_keras.training.dataset import augment, degrade, training_batches, validation_images
from sr_keras.training.patches import load_scan
from sr_keras.volumes.resampling import downsample_volume


def configuration(stage="hw", scale=2, **degradation):
    return parse_configuration(
        {
            "network": {"family": "georgescu2020", "stage": stage, "scale": scale},
            "patches": {"height": 16, "width": 16, "batch": 4},
            "training": {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-3, "final_learning_rate": 1e-3},
            "degradation": degradation,
        }
    )


@pytest.fixture
def scans(small_scan, tmp_path):
    return [load_scan(small_scan, tmp_path)]


@pytest.mark.parametrize(("stage", "scale", "lr"), [("hw", 2, (8, 8)), ("hw", 4, (4, 4)), ("d", 2, (16, 8))])
def test_batches_have_a_low_and_a_high_resolution(scans, stage, scale, lr):
    images, targets = next(iter(training_batches(scans, configuration(stage, scale))))
    assert images.shape == (4, *lr, 1)
    assert {name: target.shape for name, target in targets.items()} == dict.fromkeys(
        ("intermediate", "final"), (4, 16, 16, 1)
    )


def test_a_pipeline_that_starts_at_a_step_gives_what_one_from_the_start_gives_there(scans):
    whole = list(islice(training_batches(scans, configuration()), 6))
    later = list(islice(training_batches(scans, configuration(), first_step=3), 3))
    for (images, targets), (again, again_targets) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(targets["final"], again_targets["final"])
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_without_blur_a_patch_is_downsampled_as_evaluation_does_it(scans):
    images, targets = next(iter(training_batches(scans, configuration(probability=0.0))))
    expected = downsample_volume(targets["final"].numpy(), (1, 2, 2, 1))
    np.testing.assert_allclose(images, expected, atol=1e-6)


def blurred_share(probability):
    """Return the share of patches that blurring changes."""
    hr = tf.random.stateless_uniform((200, 8, 8, 1), (0, 1))
    settings = DegradationConfiguration(probability=probability, sigma_low=0.3, sigma_high=0.5)
    plain = degrade(hr, replace(settings, probability=0.0), "hw", 2, (5, 6)).numpy()
    changed = np.abs(degrade(hr, settings, "hw", 2, (5, 6)).numpy() - plain).max(axis=(1, 2, 3)) > 1e-6
    return float(changed.mean())


def test_the_probability_decides_how_many_patches_are_blurred():
    assert blurred_share(0.0) == 0
    assert blurred_share(1.0) == 1
    assert 0.4 < blurred_share(0.5) < 0.6


def test_each_patch_has_its_own_sigma():
    hr = tf.repeat(tf.random.stateless_uniform((1, 8, 8, 1), (0, 1)), 50, axis=0)
    many = degrade(hr, DegradationConfiguration(probability=1.0), "hw", 2, (5, 6)).numpy()
    fixed = degrade(hr, DegradationConfiguration(1.0, 0.4, 0.4), "hw", 2, (5, 6)).numpy()
    # Below a sigma of about 0.2 pixels a Gaussian's outer taps vanish: those patches are alike.
    assert len(np.unique(many.round(5), axis=0)) > 25
    assert len(np.unique(fixed.round(5), axis=0)) == 1


@pytest.mark.parametrize(("stage", "shape", "count"), [("hw", (4, 4), 8), ("d", (4, 6), 4)])
def test_augmentation_reaches_every_symmetry_and_nothing_else(stage, shape, count):
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape, 1)
    augmented = augment(tf.repeat(tf.constant(image), 400, axis=0), stage, (0, 0)).numpy()
    assert len(np.unique(augmented, axis=0)) == count
    np.testing.assert_array_equal(np.sort(augmented.reshape(400, -1)), np.tile(image.ravel(), (400, 1)))


@pytest.mark.parametrize(("stage", "count"), [("hw", 3), ("d", 4)])
def test_validation_takes_whole_slices(scans, stage, count):
    pairs = list(validation_images(scans, stage, 2, count))
    assert len(pairs) == count == len(validation_images(scans, stage, 2, count))
    shapes = [tuple(targets["final"].shape) for _, targets in pairs]
    assert shapes == [(1, 48, 40, 1)] * 3 if stage == "hw" else [(1, 40, 24, 1), (1, 48, 24, 1)] * 2
    for images, targets in pairs:
        factors = (1, 2, 2, 1) if stage == "hw" else (1, 1, 2, 1)
        np.testing.assert_allclose(images, downsample_volume(targets["final"].numpy(), factors), atol=1e-6)
