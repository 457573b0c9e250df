import keras
import numpy as np
import pytest

from sr_keras.networks import build_network

# The paper's figures: parameters, and MACs for each low-resolution pixel.
PUBLISHED = [
    ("hw", 2, 57_573, 114_336),
    ("hw", 4, 61_041, 345_888),
    ("d", 2, 56_995, 75_744),
    ("d", 4, 57_573, 114_336),
]


def macs(network: keras.Model) -> int:
    """Count the MACs of all convolutions for one image of 8x8 pixels, a pixel of it."""
    outputs = [layer.output for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    images = keras.Model(network.input, outputs)(np.zeros((1, 8, 8, 1), np.float32))
    kernels = [layer.kernel.shape for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return (
        sum(
            int(np.prod(kernel)) * int(np.prod(image.shape[1:3])) for kernel, image in zip(kernels, images, strict=True)
        )
        // 64
    )


@pytest.mark.parametrize(("stage", "scale", "parameters", "expected_macs"), PUBLISHED)
def test_parameters_and_macs_are_those_published(stage, scale, parameters, expected_macs):
    network = build_network("georgescu2020", stage, scale)
    assert network.count_params() == parameters
    assert macs(network) == expected_macs
