import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sr_keras.volumes.resampling import cubic_matrix, downsample_volume, keys_kernel, resample_axis


def test_kernel_by_hand():
    # Keys' cubic with a = -0.5: 1 - 2.5 x^2 + 1.5 x^3 up to 1, then 2 - 4 x + 2.5 x^2 - 0.5 x^3 up to 2.
    expected = [1, 0.5625, 0, -0.0625, 0, 0]
    np.testing.assert_allclose(keys_kernel(np.array([0, 0.5, 1, 1.5, 2, 3.0])), expected, atol=1e-15)


def test_taps_of_imresize_by_one_half():
    row = cubic_matrix(20, 10, 2)[5]
    np.testing.assert_allclose(row[7:15] * 256, [-3, -9, 29, 111, 111, 29, -9, -3], atol=1e-12)
    assert np.count_nonzero(np.abs(row) > 1e-12) == 8


def test_the_border_is_reflected_as_in_imresize():
    row = cubic_matrix(20, 10, 2)[0]
    np.testing.assert_allclose(row[:5] * 256, [111 + 29, 111 - 9, 29 - 3, -9, -3], atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downsampling_equals_pillow_away_from_the_border(scale):
    image = np.random.default_rng(scale).random((48, 72)).astype(np.float32)
    pillow = np.asarray(Image.fromarray(image).resize((72 // scale, 48 // scale), Image.Resampling.BICUBIC))
    reduced = downsample_volume(image, (scale, scale))
    np.testing.assert_allclose(reduced[2:-2, 2:-2], pillow[2:-2, 2:-2], atol=1e-6)


@pytest.mark.parametrize(("new_length", "step"), [(60, 0.8), (96, 0.5), (40, 1.2)])
def test_any_step_equals_pillow_away_from_the_border(new_length, step):
    image = np.random.default_rng(0).random((1, 48)).astype(np.float32)
    pillow = np.asarray(Image.fromarray(image).resize((new_length, 1), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(resample_axis(image, 1, new_length, step)[:, 5:-5], pillow[:, 5:-5], atol=1e-6)


@given(length=st.integers(1, 40), new_length=st.integers(1, 80), step=st.floats(0.2, 5))
def test_a_constant_stays_constant(length, new_length, step):
    np.testing.assert_allclose(cubic_matrix(length, new_length, step).sum(axis=1), 1)


def test_a_ramp_keeps_its_place():
    ramp = np.arange(40, dtype=np.float32)[:, None]
    finer = resample_axis(ramp, 0, 80, 0.5)[:, 0]
    np.testing.assert_allclose(finer[8:-8], (np.arange(80)[8:-8] + 0.5) / 2 - 0.5, atol=1e-5)
