import keras
import numpy as np
import pytest

from sr_keras.networks import build_network
from sr_keras.networks.georgescu2020 import reach

# The paper's figures: parameters, and multiply-adds for each low-resolution pixel.
PUBLISHED = [
    ("hw", 2, 57_573, 114_336),
    ("hw", 4, 61_041, 345_888),
    ("d", 2, 56_995, 75_744),
    ("d", 4, 57_573, 114_336),
]


def multiply_adds(network: keras.Model) -> int:
    """Count the multiply-adds of all convolutions for one image of 8x8 pixels, a pixel of it."""
    outputs = [layer.output for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    images = keras.Model(network.input, outputs)(np.zeros((1, 8, 8, 1), np.float32))
    kernels = [layer.kernel.shape for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return (
        sum(
            int(np.prod(kernel)) * int(np.prod(image.shape[1:3])) for kernel, image in zip(kernels, images, strict=True)
        )
        // 64
    )


@pytest.mark.parametrize(("stage", "scale", "parameters", "arithmetic"), PUBLISHED)
def test_parameters_and_arithmetic_are_those_published(stage, scale, parameters, arithmetic):
    network = build_network("georgescu2020", stage, scale)
    assert network.count_params() == parameters
    assert multiply_adds(network) == arithmetic


def changed_pixels(stage: str, scale: int) -> tuple[int, int]:
    """Return how far along height and width of the input a change of one pixel is felt."""
    keras.utils.set_random_seed(0)
    network = build_network("georgescu2020", stage, scale)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(np.abs(layer.kernel.numpy()))
    image = np.zeros((1, 41, 41, 1), np.float32)
    changed = image.copy()
    changed[0, 20, 20] = 1
    difference = np.abs(network(changed)["final"].numpy() - network(image)["final"].numpy())[0, ..., 0] > 0
    rows, columns = np.flatnonzero(difference.any(axis=1)), np.flatnonzero(difference.any(axis=0))
    factors = difference.shape[0] // 41, difference.shape[1] // 41
    return tuple(20 - int(felt[0]) // factor for felt, factor in zip((rows, columns), factors, strict=True))


@pytest.mark.parametrize(("stage", "scale"), [("hw", 2), ("hw", 4), ("d", 2), ("d", 4)])
def test_reach_is_what_a_change_of_one_pixel_shows(stage, scale):
    assert changed_pixels(stage, scale) == reach(stage, scale)
