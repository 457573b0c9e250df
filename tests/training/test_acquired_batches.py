from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf
from helpers import write_scan

from sr_keras.acquisition.description import Acquisition, InPlane, Noise, ThroughPlane
from sr_keras.training.acquired_batches import (
    GroupWindow,
    acquired_batches,
    description_length,
    draw_batch,
)
from sr_keras.training.acquired_slices import acquired_group, load_denoised_scan, noise_to_keep
from sr_keras.training.acquired_validation import acquired_validation_images
from sr_keras.training.configuration import parse_configuration


def configuration(stage="hw", scale=2):
    return parse_configuration(
        {
            "network": {"family": "fast", "stage": stage, "scale": scale},
            "patches": {"height": 16, "width": 16, "batch": 4},
            "training": {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-3, "final_learning_rate": 1e-3},
            "acquisition": {"mixture": "scanners", "groups": 2, "window": 3, "steps_per_group": 2},
        }
    )


@pytest.fixture(scope="module")
def scans(small_scan, tmp_path_factory):
    return [load_denoised_scan(small_scan, tmp_path_factory.mktemp("cache"))]


def test_a_denoised_scan_is_kept_beside_the_scan(scans):
    (scan,) = scans
    assert scan.denoised.shape == scan.scan.voxels.shape
    assert 0 < np.abs(scan.denoised.astype(float) - scan.scan.voxels).mean() < 0.05
    assert scan.data_range > 1
    assert scan.thin


@pytest.mark.parametrize("stage", ["hw", "d"])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_group_is_low_resolution_and_its_ground_truth(scans, stage, scale):
    for seed in range(4):
        group = acquired_group(scans[0], stage, scale, np.random.default_rng(seed))
        count, height, width = group.low.shape
        high = (count, height * scale if stage == "hw" else height, width * scale)
        assert group.denoised.shape == group.noise.shape == high
        # The mean stays, but for noise and for Rician noise's own mean.
        truth = group.denoised.astype(float) + group.noise
        assert group.low.mean() == pytest.approx(truth.mean(), rel=0.1)


@pytest.mark.parametrize(
    ("acquisition", "factors", "kept"),
    [
        # Averages of four voxels and of two; a quarter of k-space has half of the root mean square.
        (Acquisition(InPlane("box")), (1, 2, 2), 1 / 2),
        (Acquisition(InPlane("k_space")), (1, 2, 2), 1 / 2),
        (Acquisition(InPlane("box"), ThroughPlane("box")), (2, 1, 1), 0.5**0.5),
        # Antialiased cubic interpolation has the taps -3 -9 29 111 111 29 -9 -3 over 256, along two axes.
        (Acquisition(InPlane("cubic")), (1, 2, 2), (2 * (3**2 + 9**2 + 29**2 + 111**2) / 256**2) ** 0.5),
    ],
)
def test_a_ground_truth_keeps_as_much_noise_as_an_acquisition_leaves(acquisition, factors, kept):
    noise = np.random.default_rng(1).standard_normal((8, 128, 128)).astype(np.float32)
    assert noise_to_keep(noise, factors, acquisition) == pytest.approx(kept, rel=0.02)
    noisy = replace(acquisition, noise=Noise("rician", 5.0))
    assert noise_to_keep(noise, factors, noisy) == noise_to_keep(noise, factors, acquisition)


def test_a_ground_truth_without_noise_keeps_it():
    assert noise_to_keep(np.zeros((2, 8, 8), np.float32), (1, 2, 2), Acquisition()) == 1.0


@pytest.mark.parametrize(("stage", "scale", "lr"), [("hw", 2, (8, 8)), ("hw", 4, (4, 4)), ("d", 2, (16, 8))])
def test_batches_hold_images_descriptions_and_ground_truth(scans, stage, scale, lr):
    wanted = configuration(stage, scale)
    inputs, targets = next(iter(acquired_batches(GroupWindow(scans, wanted), wanted)))
    assert inputs["lr"].shape == (4, *lr, 1)
    assert inputs["description"].shape == (4, description_length(stage))
    assert {name: target.shape for name, target in targets.items()} == dict.fromkeys(
        ("intermediate", "final"), (4, 16, 16, 1)
    )


def test_the_parts_of_a_batch_are_told_the_same(scans):
    _, description, _ = draw_batch(GroupWindow(scans, configuration()), configuration(), 0)
    assert (description[0] == description[1]).all()
    assert (description[2] == description[3]).all()
    assert ((description[:, -1] >= 0) & (description[:, -1] <= 1)).all()


def test_half_of_the_parts_keep_all_of_the_noise(scans):
    window = GroupWindow(scans, configuration())
    dials = np.concatenate([draw_batch(window, configuration(), step)[1][::2, -1] for step in range(12)])
    assert (dials == 1.0).sum() == pytest.approx(12, abs=6)
    assert len(set(dials[dials < 1.0])) == (dials < 1.0).sum()


def test_batches_that_start_at_a_step_are_those_from_the_start(scans):
    wanted = configuration()
    whole = list(islice(acquired_batches(GroupWindow(scans, wanted), wanted), 6))
    later = list(islice(acquired_batches(GroupWindow(scans, wanted), wanted, 4), 2))
    for one, other in zip(whole[4:], later, strict=True):
        for first, second in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
            assert (first.numpy() == second.numpy()).all()


def test_the_window_moves_with_the_steps(scans):
    window = GroupWindow(scans, configuration())
    assert [window.numbers(step) for step in (0, 1, 2, 4)] == [range(3), range(3), range(1, 4), range(2, 5)]
    with pytest.raises(KeyError):
        window.group(9, 4)


def test_the_fingerprints_of_the_mixture_are_those_of_the_groups(scans):
    window = GroupWindow(scans, configuration())
    found = window.fingerprints(3)
    assert (found[2] == window.make(2).fingerprint).all()
    assert found.shape == (3, description_length("hw") - 1)


@pytest.mark.parametrize("stage", ["hw", "d"])
def test_validation_has_every_case_of_the_modality(scans, stage):
    images = list(acquired_validation_images(scans, stage, 2, 3))
    assert len(images) == 4 * 3
    inputs, targets = images[0]
    height, width = inputs["lr"].shape[1:3]
    assert targets["final"].shape == (1, height * (2 if stage == "hw" else 1), width * 2, 1)
    assert inputs["description"][0, -1] == 1.0


def test_scans_of_one_name_have_twins_of_their_own(small_scan, tmp_path):
    voxels = np.random.default_rng(0).uniform(100, 200, (20, 24, 8)).astype(np.float32)
    (tmp_path / "b").mkdir()
    other = write_scan(tmp_path / "b" / small_scan.name, voxels)
    one, two = (load_denoised_scan(path, tmp_path / "cache") for path in (small_scan, other))
    assert one.denoised.shape == one.scan.voxels.shape != two.denoised.shape == two.scan.voxels.shape
    assert one.data_range != two.data_range


def test_a_window_that_is_closed_makes_no_more_groups(scans):
    window = GroupWindow(scans, configuration())
    window.group(0, 0)
    window.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        window.group(9, 9)
