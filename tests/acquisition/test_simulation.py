import numpy as np
import pytest

from sr_keras.acquisition.description import Acquisition, InPlane, Noise, ThroughPlane
from sr_keras.acquisition.presets import PRESETS
from sr_keras.acquisition.simulation import acquire
from sr_keras.volumes.resampling import downsample_volume

VOXELS = np.random.default_rng(0).random((8, 24, 20), np.float32)


def acquired(acquisition, factors, voxels=VOXELS, seed=0, **units):
    return acquire(voxels, factors, acquisition, np.random.default_rng(seed), **({"data_range": 1.0} | units))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 1, 1), (2, 2, 2), (4, 4, 4)])
def test_every_preset_reduces_every_axis(name, factors):
    reduced = acquired(PRESETS[name], factors)
    assert reduced.shape == (8 // factors[0], 24 // factors[1], 20 // factors[2])
    assert reduced.dtype == np.float32


@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 1, 1), (2, 2, 2)])
def test_the_default_is_antialiased_cubic_interpolation(factors):
    assert acquired(Acquisition(), factors) == pytest.approx(downsample_volume(VOXELS, factors), abs=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_seed_gives_the_same_scan(name):
    first, second = (acquired(PRESETS[name], (1, 2, 2), seed=3) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("method", ["k_space", "gaussian", "box", "cubic"])
def test_a_constant_stays_what_it_is(method):
    reduced = acquired(Acquisition(InPlane(method)), (2, 2, 2), np.full((4, 8, 8), 3.0, np.float32))
    assert reduced == pytest.approx(np.full((2, 4, 4), 3.0), abs=1e-5)


def test_a_blur_comes_before_cubic_interpolation():
    dot = np.zeros((1, 16, 16), np.float32)
    dot[0, 8, 8] = 1.0
    sharp, blurred = (acquired(Acquisition(InPlane(blur=blur)), (1, 2, 2), dot) for blur in (0.0, 0.5))
    assert blurred.max() < 0.9 * sharp.max()
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=1e-3)


def test_rician_noise_is_in_percent_of_the_data_range():
    bright = np.full((4, 128, 128), 1000.0, np.float32)
    noisy = acquired(Acquisition(noise=Noise("rician", 2.0)), (2, 1, 1), bright, data_range=500.0)
    assert noisy.std() == pytest.approx(10.0, rel=0.02)


def test_coloured_noise_is_in_hounsfield_units():
    flat = np.zeros((8, 128, 128), np.float32)
    noise = Noise("coloured", 20.0)
    assert acquired(Acquisition(noise=noise), (2, 1, 1), flat).std() == pytest.approx(20.0, rel=0.05)
    scaled = acquired(Acquisition(noise=noise), (2, 1, 1), flat, hounsfield=1e-3)
    assert scaled.std() == pytest.approx(0.02, rel=0.05)


def test_a_gap_between_slices_keeps_more_detail_than_an_overlap():
    gap, overlap = (acquired(Acquisition(through_plane=ThroughPlane("slr", each)), (4, 1, 1)) for each in (0.6, 1.15))
    assert gap.std() > overlap.std()


@pytest.mark.parametrize("method", ["gaussian", "k_space"])
def test_anisotropy_blurs_the_columns_axis_more(method):
    voxels = np.random.default_rng(1).random((1, 64, 64), np.float32)
    even, uneven = (acquired(Acquisition(InPlane(method, anisotropy=each)), (1, 2, 2), voxels) for each in (1.0, 2.0))
    along_rows, along_columns = (np.abs(np.diff(uneven, axis=axis)).mean() for axis in (1, 2))
    assert along_columns < 0.7 * along_rows
    assert np.abs(np.diff(even, axis=2)).mean() == pytest.approx(np.abs(np.diff(even, axis=1)).mean(), rel=0.1)
