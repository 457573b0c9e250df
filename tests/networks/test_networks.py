import keras
import numpy as np
import pytest

from sr_keras.errors import ConfigurationError
from sr_keras.networks import FAMILIES, STAGES, build_network, output_factors
from sr_keras.networks.upscaling import DepthShuffle


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_both_outputs_have_the_enlarged_shape_whatever_the_input(family, stage, scale):
    network = build_network(family, stage, scale)
    height, width = output_factors(stage, scale)
    for shape in ((1, 9, 14), (3, 12, 8)):
        outputs = network(np.zeros((*shape, 1), np.float32))
        assert sorted(outputs) == ["final", "intermediate"]
        for output in outputs.values():
            assert tuple(output.shape) == (shape[0], shape[1] * height, shape[2] * width, 1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stage", STAGES)
def test_a_saved_model_is_the_same_model(family, stage, tmp_path):
    network = build_network(family, stage, 2)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    images = np.random.default_rng(0).random((2, 12, 10, 1)).astype(np.float32)
    for name, output in network(images).items():
        np.testing.assert_array_equal(output, loaded(images)[name])


def test_depth_shuffle_interleaves_channels_along_the_depth():
    images = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    shuffled = np.asarray(DepthShuffle(2)(images))[0, ..., 0]
    assert shuffled.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_mixed_precision_gives_float32_outputs():
    network = build_network("georgescu2020", "hw", 2, "mixed_bfloat16")
    assert network.get_layer("conv3").compute_dtype == "bfloat16"
    assert {output.dtype for output in network.output.values()} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unet", "hw", 2), "family must be one of georgescu2020. Received: unet"),
        (("georgescu2020", "xy", 2), "stage must be hw .* or d .* Received: xy"),
        (("georgescu2020", "d", 5), "scale must be one of 2, 3, 4. Received: 5"),
    ],
)
def test_unknown_networks_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        build_network(*arguments)
