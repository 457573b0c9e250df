"""Residuals and voxels beyond their neighbours, against back-projection's own and worked out by hand."""

import numpy as np
import pytest

from sr_keras.acquisition.profiles import average_axis
from sr_keras.inference.back_projection import residual_of
from sr_keras.uncertainty.residual import Excess, Profile, ResidualSum


@pytest.fixture(scope="module")
def pair():
    generator = np.random.default_rng(0)
    return generator.random((12, 10, 8), np.float32) * 100, generator.random((24, 20, 8), np.float32) * 100


@pytest.mark.parametrize("axis", [0, 2])
def test_slab_by_slab_it_is_that_of_the_whole(pair, axis):
    scan, result = pair
    total = ResidualSum(scan, (2, 2, 1), axis)
    for start in range(0, result.shape[axis], 3):
        span = slice(start, min(start + 3, result.shape[axis]))
        total.add(span, result[(slice(None),) * axis + (span,)])
    np.testing.assert_allclose(total.voxels, residual_of(result, scan, (2, 2, 1)), atol=1e-4)


def test_a_scan_acquired_with_its_profile_leaves_nothing():
    truth = np.random.default_rng(1).random((20, 9, 8), np.float32)
    scan = average_axis(truth, 0, 4, "box", 0.75)
    total = ResidualSum(scan, (4, 1, 1), 2, Profile(0, "box", 0.75, "as given"))
    for start in range(8):
        total.add(slice(start, start + 1), truth[:, :, start : start + 1])
    assert np.abs(total.voxels).max() < 1e-6
    other = ResidualSum(scan, (4, 1, 1), 2)
    other.add(slice(0, 8), truth)
    assert np.abs(other.voxels).max() > 0.01


def test_a_voxel_beyond_its_neighbours_is_counted():
    scan = np.full((4, 4, 4), 10, np.int16)
    scan[1, 1, 1] = 20
    result = scan.astype(np.float32).repeat(2, axis=0).repeat(2, axis=1)
    result[2, 2, 1] = 25.0  # 5 above the greatest neighbour
    result[7, 7, 3] = 4.0  # 6 below the least, far from the bright voxel
    excess = Excess(scan, (2, 2, 1), 2)
    for k in range(4):
        excess.add(slice(k, k + 1), result[:, :, k : k + 1], np.full((8, 8, 1), 2.0, np.float32))
    assert (excess.count, excess.largest, excess.place) == (2, 4.0, (7, 7, 3))
    wider = Excess(scan, (2, 2, 1), 0)
    wider.add(slice(2, 5), result[2:5], np.full((3, 8, 4), 5.0, np.float32))
    assert (wider.count, wider.place) == (0, None)
