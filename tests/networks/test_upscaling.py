"""The upscaling layers against arrays typed out by hand and against Pillow."""

import keras
import numpy as np
import pytest
from PIL import Image

from sr_keras.networks import output_factors
from sr_keras.networks.upscaling import CUBIC_TAPS, DepthShuffle, cubic_phases, pixel_shuffle


def test_depth_shuffle_interleaves_channels_along_the_depth():
    images = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    shuffled = np.asarray(DepthShuffle(2)(images))[0, ..., 0]
    assert shuffled.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize("stage", ["hw", "d"])
@pytest.mark.parametrize("scale", [2, 4])
def test_cubic_phases_are_the_cubic_interpolation_of_pillow(stage, scale):
    images = keras.Input((None, None, 1))
    network = keras.Model(images, pixel_shuffle(cubic_phases(images, stage, scale), stage, scale))
    image = np.random.default_rng(0).random((20, 16)).astype(np.float32)
    rows, columns = output_factors(stage, scale)
    expected = np.asarray(Image.fromarray(image).resize((16 * columns, 20 * rows), Image.Resampling.BICUBIC))
    # At the border Pillow shortens the kernel, while a convolution sees zeros.
    top, side = (CUBIC_TAPS // 2 * factor if factor > 1 else 0 for factor in (rows, columns))
    inner = slice(top, 20 * rows - top), slice(side, 16 * columns - side)
    upsampled = np.asarray(network(image[None, ..., None]))[0, ..., 0]
    np.testing.assert_allclose(upsampled[inner], expected[inner], atol=1e-6)


def test_cubic_phases_are_not_trained_and_stay_float32():
    images = keras.Input((None, None, 1))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = keras.Model(images, cubic_phases(images, "hw", 2))
    finally:
        keras.config.set_dtype_policy("float32")
    assert not network.trainable_variables
    assert network.output.dtype == "float32"
