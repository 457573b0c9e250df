"""Batches for a `fit` of one's own are those of `sr-keras train`."""

import numpy as np
import pytest
from helpers import write_scan

import sr_keras
from sr_keras.errors import ConfigurationError
from sr_keras.networks import output_factors
from sr_keras.training import dataset
from sr_keras.training.configuration import parse_configuration
from sr_keras.training.patches import load_scan
from sr_keras.volumes.volume import Volume


@pytest.mark.parametrize(("stage", "scale"), [("hw", 2), ("d", 4)])
def test_batches_are_those_of_a_run_with_the_same_settings(small_scan, tmp_path, stage, scale):
    tree = {
        "network": {"family": "fast", "stage": stage, "scale": scale},
        "patches": {"height": 16, "width": 16, "batch": 3},
        "training": {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 0.1, "final_learning_rate": 0.1, "seed": 5},
    }
    expected = iter(dataset.training_batches([load_scan(small_scan, tmp_path)], parse_configuration(tree)))
    for given in (small_scan, sr_keras.read_volume(small_scan)):
        batches = iter(sr_keras.training_batches([given], stage, scale, patch=16, batch=3, seed=5))
        lr, hr = next(batches)
        rows, columns = output_factors(stage, scale)
        assert (tuple(lr.shape), tuple(hr.shape)) == ((3, 16 // rows, 16 // columns, 1), (3, 16, 16, 1))
        wanted_lr, wanted_hr = next(expected) if given is small_scan else (lr, {"final": hr})
        np.testing.assert_array_equal(lr, wanted_lr)
        np.testing.assert_array_equal(hr, wanted_hr["final"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 3}, "network.scale must be one of 2, 4"),
        ({"patch": 9}, "patches.height and patches.width must be multiples of the scale"),
        ({"patch": 64}, "holds patches of at most 40x48|holds patches of at most 48x40"),
    ],
)
def test_what_no_batch_is_made_of(small_scan, options, message):
    with pytest.raises(ConfigurationError, match=message):
        sr_keras.training_batches([small_scan], **options)


def test_scans_are_needed_and_must_show_tissue(tmp_path):
    with pytest.raises(ConfigurationError, match="^There is no scan to draw patches from"):
        sr_keras.training_batches([])
    flat = write_scan(tmp_path / "flat.nii", np.zeros((64, 64, 8), np.int16))
    with pytest.raises(ConfigurationError, match="flat.nii shows no tissue; leave it out"):
        sr_keras.training_batches([flat])
    with pytest.raises(ConfigurationError, match="^memory shows no tissue"):
        sr_keras.training_batches([Volume(np.zeros((64, 64, 8), np.int16), np.eye(4))])
