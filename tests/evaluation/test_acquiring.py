import numpy as np
import pytest

from sr_keras.acquisition.description import Acquisition, Noise, ThroughPlane
from sr_keras.evaluation.acquiring import acquired_as
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume

VOXELS = 100 * np.random.default_rng(0).random((24, 8, 20), np.float32)


def scan(modality="MR"):
    return Volume(VOXELS, np.eye(4), modality)


def test_the_default_is_antialiased_cubic_interpolation():
    low = acquired_as(Acquisition(), scan(), 1)(VOXELS, (2, 2, 2))
    assert low == pytest.approx(downsample_volume(VOXELS, (2, 2, 2)), abs=1e-4)


def test_the_profile_acts_on_the_through_plane_axis():
    low = acquired_as(Acquisition(through_plane=ThroughPlane("box")), scan(), 1)(VOXELS, (1, 2, 1))
    assert low == pytest.approx(0.5 * (VOXELS[:, ::2] + VOXELS[:, 1::2]), abs=1e-4)


def test_noise_is_in_hu_and_the_same_at_every_call():
    acquired = acquired_as(Acquisition(noise=Noise("coloured", 10.0)), scan("CT"), 2)
    low, again = (acquired(VOXELS, (2, 2, 1)) for _ in range(2))
    assert (low == again).all()
    assert (low - downsample_volume(VOXELS, (2, 2, 1))).std() == pytest.approx(10.0, rel=0.1)
