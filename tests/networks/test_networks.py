import keras
import numpy as np
import pytest

from sr_keras.errors import ConfigurationError
from sr_keras.networks import FAMILIES, STAGES, build_network, family_named, output_factors


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("scale", [2, 4])
def test_both_outputs_have_the_upsampled_shape_whatever_the_input(family, stage, scale):
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


@pytest.mark.parametrize(("family", "layer"), [("georgescu2020", "conv3"), ("fast", "conv3"), ("best", "conv3")])
def test_mixed_precision_gives_float32_outputs(family, layer):
    network = build_network(family, "hw", 2, "mixed_bfloat16")
    assert network.get_layer(layer).compute_dtype == "bfloat16"
    assert {output.dtype for output in network.output.values()} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unet", "hw", 2), "family must be one of fast, best, georgescu2020.*. Received: unet"),
        (("georgescu2020", "xy", 2), "stage must be hw .* or d .* Received: xy"),
        (("georgescu2020", "d", 3), "scale must be one of 2, 4. Received: 3"),
    ],
)
def test_unknown_networks_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        build_network(*arguments)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(("family", "share"), [("fast", 0.25), ("best", 2.0)])
def test_macs_are_at_most_a_share_of_the_published_network_s(family, share, stage, scale):
    assert macs(family, stage, scale) <= share * macs("georgescu2020", stage, scale)


def macs(family: str, stage: str, scale: int) -> int:
    """Return the MACs of all convolutions for one image of 8x8 pixels."""
    network = build_network(family, stage, scale)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    images = keras.Model(network.input, [layer.output for layer in convolutions])(np.zeros((1, 8, 8, 1), np.float32))
    return sum(
        int(np.prod(layer.kernel.shape)) * int(np.prod(image.shape[1:3]))
        for layer, image in zip(convolutions, images, strict=True)
    )


def changed_pixels(family: str, stage: str, scale: int) -> tuple[int, int]:
    """Return how far along height and width of the input a change of one pixel changes the output."""
    keras.utils.set_random_seed(0)
    network = build_network(family, stage, scale)
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


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("stage", "scale"), [("hw", 2), ("hw", 4), ("d", 2), ("d", 4)])
def test_the_receptive_field_radius_is_what_a_change_of_one_pixel_shows(family, stage, scale):
    assert changed_pixels(family, stage, scale) == family_named(family).receptive_field_radius(stage, scale)
