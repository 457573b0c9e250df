import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.regridding import Regridding
from sr_keras.volumes.resampling import cubic_matrix, resample_axis

VOXELS = np.random.default_rng(0).random((20, 18, 16), np.float32)


def regridded(regridding, voxels, axis=2, size=8):
    """The whole result, of slabs of a size along an axis; every voxel is written once."""
    result, times = np.full(regridding.shape, np.nan, np.float32), np.zeros(regridding.shape, int)
    spans = [slice(start, min(start + size, voxels.shape[axis])) for start in range(0, voxels.shape[axis], size)]
    slabs = ((span, voxels[(slice(None),) * axis + (span,)]) for span in spans)
    for along, span, slab in regridding.slabs(slabs, axis):
        assert along == regridding.result_axis(axis)
        result[(slice(None),) * along + (span,)] = slab
        times[(slice(None),) * along + (span,)] += 1
    assert (times == 1).all()
    return result


@pytest.mark.parametrize("axis", range(3))
def test_slabs_of_any_size_give_the_same_and_that_of_axis_by_axis(axis):
    steps = (4 / 3, 1.0, 1.7)
    shape = (15, 18, 9)
    regridding = Regridding(VOXELS.shape, shape, rescaled_affine(np.eye(4), steps))
    expected = resample_axis(resample_axis(VOXELS, 0, 15, steps[0]), 2, 9, steps[2])
    whole = regridded(regridding, VOXELS, axis, 32)
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    for size in (1, 5):
        np.testing.assert_array_equal(regridded(regridding, VOXELS, axis, size), whole)


@pytest.mark.parametrize("axis", range(3))
def test_axes_in_another_order_and_direction_are_no_resampling(axis):
    # The result's i runs down the source's k, its j along i, its k along j.
    to_source = np.array([[0, 1.0, 0, 0], [0, 0, 1.0, 0], [-1.0, 0, 0, 15], [0, 0, 0, 1]])
    regridding = Regridding(VOXELS.shape, (16, 20, 18), to_source, fill=0)
    assert regridding.axes == (2, 0, 1)
    assert [regridding.is_in_order(each) for each in range(3)] == [False, True, False]
    expected = VOXELS.transpose(2, 0, 1)[::-1]
    np.testing.assert_allclose(regridded(regridding, VOXELS, axis), expected, atol=1e-6)


def test_beyond_the_source_lies_the_fill_value_and_inside_the_source():
    to_source = np.eye(4)
    to_source[:3, 3] = (-4, 3, 0)
    regridding = Regridding(VOXELS.shape, (30, 18, 20), to_source, fill=-7)
    result = regridded(regridding, VOXELS)
    np.testing.assert_array_equal(result[4:24, :15, :16], VOXELS[:, 3:])
    inside = np.zeros(result.shape, bool)
    inside[4:24, :15, :16] = True
    assert (result[~inside] == -7).all()
    assert regridding.inside == pytest.approx(inside.mean())


def rotation(angle):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def smooth(places):
    return np.sin(places[0] / 6) + np.cos(places[1] / 5) * np.sin(places[2] / 4)


def test_turned_axes_sample_a_smooth_function_where_they_should():
    grid = np.stack(np.meshgrid(*(np.arange(length) for length in (40, 33, 28)), indexing="ij")).astype(float)
    to_source = rotation(0.2) @ np.diag([0.7, 0.9, 1.0, 1])
    to_source[:3, 3] = (8, 2, 1.5)
    regridding = Regridding((40, 33, 28), (30, 28, 20), to_source, fill=0)
    assert regridding.axes is None
    result = regridded(regridding, smooth(grid).astype(np.float32), axis=0)
    places = np.stack(np.meshgrid(*(np.arange(length) for length in result.shape), indexing="ij")).reshape(3, -1)
    places = to_source[:3, :3] @ places + to_source[:3, 3:]
    whole = ((places > 1) & (places < np.array([[38], [31], [26]]))).all(axis=0)
    assert whole.sum() > 10_000
    np.testing.assert_allclose(result.reshape(-1)[whole], smooth(places)[whole], atol=0.005)


def test_turned_axes_that_are_coarser_do_not_alias():
    # A wave of two voxels cannot be seen at a spacing of three: what is left of it is noise in the result.
    wave = np.broadcast_to((-1.0) ** np.arange(48), (40, 40, 48)).astype(np.float32)
    to_source = rotation(0.3) @ np.diag([1, 1, 3.0, 1])
    to_source[:3, 3] = (10, 2, 4)
    result = regridded(Regridding((40, 40, 48), (20, 20, 13), to_source, fill=0), wave)
    assert np.abs(result[4:-4, 4:-4, 2:-2]).max() < 0.05
    finer = to_source @ np.diag([1, 1, 1 / 3, 1])
    assert np.abs(regridded(Regridding((40, 40, 48), (20, 20, 13), finer, fill=0), wave)[4:-4, 4:-4]).max() > 0.9


@settings(max_examples=30, deadline=None)
@given(value=st.floats(-1000, 1000), steps=st.tuples(*[st.floats(0.3, 3)] * 3), axis=st.integers(0, 2))
def test_a_constant_stays_constant_on_every_grid(value, steps, axis):
    voxels = np.full((9, 8, 7), value, np.float32)
    i, j, k = (max(1, round(length / step)) for length, step in zip(voxels.shape, steps, strict=True))
    result = regridded(Regridding(voxels.shape, (i, j, k), rescaled_affine(np.eye(4), steps)), voxels, axis, 3)
    np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-4)


def test_an_axis_that_gets_coarser_is_antialiased():
    wave = np.broadcast_to((-1.0) ** np.arange(48), (4, 4, 48)).astype(np.float32)
    coarser = regridded(Regridding((4, 4, 48), (4, 4, 16), rescaled_affine(np.eye(4), (1, 1, 3))), wave)
    assert np.abs(coarser).max() < 0.05
    np.testing.assert_allclose(coarser[0, 0], cubic_matrix(48, 16, 3) @ wave[0, 0], atol=1e-6)
