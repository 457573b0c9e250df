import numpy as np
import pytest
from scipy.ndimage import zoom

from sr_keras.evaluation.interpolation import METHODS, interpolate


@pytest.fixture
def voxels():
    return np.random.default_rng(0).random((12, 10, 8)).astype(np.float32)


@pytest.mark.parametrize("factors", [(2, 2, 1), (1, 1, 2), (2, 2, 2), (4, 1, 1)])
@pytest.mark.parametrize(("method", "order"), [("nearest", 0), ("linear", 1)])
def test_it_equals_scipy_on_the_grid_whose_edges_stay_put(voxels, factors, method, order):
    expected = zoom(voxels, factors, order=order, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(interpolate(voxels, factors, method), expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_ramp_keeps_its_place(method):
    ramp = np.indices((5, 20, 5))[1].astype(np.float32)
    expected = (np.arange(40) + 0.5) / 2 - 0.5
    tolerance = 0.5 if method == "nearest" else 0.02
    np.testing.assert_allclose(interpolate(ramp, (1, 2, 1), method)[2, 6:-6, 2], expected[6:-6], atol=tolerance)


def test_cubic_by_hand():
    # Keys' cubic a quarter of a sample from an impulse: 0.8671875, and three quarters: 0.2265625.
    impulse = np.zeros((1, 9, 1), np.float32)
    impulse[0, 4] = 1
    np.testing.assert_allclose(
        interpolate(impulse, (1, 2, 1), "cubic")[0, 7:11, 0], [0.2265625, 0.8671875, 0.8671875, 0.2265625], atol=1e-6
    )
