"""What is found by running a network is what its family says, and what networks of one's own are refused for."""

import keras
import numpy as np
import pytest
from keras import layers

from sr_keras.errors import ConfigurationError
from sr_keras.networks import FAMILIES, build_network, family_named, output_factors, register_family
from sr_keras.networks.inspection import check_network, inspect_network, named_outputs, network_at_policy
from sr_keras.training.configuration import parse_configuration


@pytest.mark.parametrize(("stage", "scale"), [("hw", 2), ("d", 4)])
@pytest.mark.parametrize("family", FAMILIES)
def test_factors_and_receptive_field_are_those_of_the_family(family, stage, scale):
    found = inspect_network(build_network(family, stage, scale))
    assert found.factors == output_factors(stage, scale)
    assert found.receptive_field_radius == family_named(family).receptive_field_radius(stage, scale)


def network(*steps, size=(None, None)):
    images = keras.Input((*size, 1))
    features = images
    for step in steps:
        features = step(features)
    return keras.Model(images, features, name="mine")


def upsampling(stage, scale, _):
    return network(layers.Conv2D(1, 5, padding="same"), layers.UpSampling2D(output_factors(stage, scale)))


def test_a_kernel_of_five_by_seven_reaches_two_and_three_pixels():
    model = named_outputs(network(layers.Conv2D(1, (5, 7), padding="same"), layers.UpSampling2D(3)))
    assert inspect_network(model).receptive_field_radius == (2, 3)
    assert inspect_network(model).factors == (3, 3)


def test_dilated_kernels_reach_far():
    dilated = [layers.Conv2D(1, 3, dilation_rate=rate, padding="same") for rate in (20, 40)]
    model = named_outputs(network(*dilated, layers.UpSampling2D(2)))
    assert inspect_network(model).receptive_field_radius == (60, 60)


class Subclassed(keras.Model):
    def call(self, images):
        return keras.ops.repeat(keras.ops.repeat(images, 2, axis=1), 2, axis=2)


@pytest.mark.parametrize(
    "model",
    [
        keras.Sequential([layers.UpSampling2D(2)]),
        keras.Sequential([keras.Input((None, None, 1)), layers.UpSampling2D(2)]),
        Subclassed(),
    ],
)
def test_models_that_are_no_graph_get_named_outputs_too(model):
    outputs = named_outputs(model)(np.ones((1, 3, 4, 1), np.float32))
    assert {name: tuple(output.shape) for name, output in outputs.items()} == dict.fromkeys(
        ("intermediate", "final"), (1, 6, 8, 1)
    )


def test_a_network_at_another_policy_has_the_same_weights_and_float32_outputs():
    model = named_outputs(upsampling("hw", 2, "float32"))
    half = network_at_policy(model, "float16")
    images = np.random.default_rng(0).random((1, 9, 9, 1), np.float32)
    assert {output.dtype for output in half.output.values()} == {"float32"}
    assert half.layers[1].compute_dtype == "float16"
    np.testing.assert_allclose(half(images)["final"], model(images)["final"], atol=5e-3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (network(layers.UpSampling2D(2), size=(48, 48)), r"one input .* Received: \(None, 48, 48, 1\)"),
        (network(layers.Conv2D(3, 1), layers.UpSampling2D(2)), "makes 514x514x3 of 257x257x1"),
        (network(layers.Conv2D(1, 3), layers.UpSampling2D(2)), "makes 510x510x1 of 257x257x1"),
        (network(layers.UpSampling2D(3)), "^mine upsamples height x3 and width x3, which is not what hw x2 does"),
        (network(layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(1, 1)), "makes 1x1x1 of 257x257x1"),
        (
            network(layers.UpSampling2D(2), lambda x: x - keras.ops.mean(x, axis=(1, 2), keepdims=True)),
            "receptive field of mine is 257 pixels wide or more",
        ),
        (
            network(layers.MaxPooling2D(2), layers.UpSampling2D(2), lambda x: x + 1, layers.UpSampling2D(2)),
            "makes 512x512x1 of 257x257x1",
        ),
    ],
)
def test_networks_that_are_no_stage_are_refused(model, message):
    with pytest.raises(ConfigurationError, match=message):
        check_network(named_outputs(model), "hw", 2)


def test_outputs_without_a_final_one_are_refused():
    images = keras.Input((None, None, 1))
    with pytest.raises(ConfigurationError, match="a dictionary with 'final'. Received: sharp"):
        named_outputs(keras.Model(images, {"sharp": layers.UpSampling2D(2)(images)}))


def test_a_registered_family_is_built_and_named_in_a_configuration():
    register_family("mine", upsampling)
    assert sorted(build_network("mine", "d", 4).output) == ["final", "intermediate"]
    assert family_named("mine").receptive_field_radius("d", 4) == (2, 2)
    tree = {
        "network": {"family": "mine", "stage": "hw", "scale": 2},
        "patches": {"height": 8, "width": 8, "batch": 1},
        "training": {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 0.1, "final_learning_rate": 0.1},
    }
    assert parse_configuration(tree).network.family == "mine"


@pytest.mark.parametrize("name", ["fast", "my network", ""])
def test_names_that_a_family_cannot_have(name):
    with pytest.raises(ConfigurationError, match=f"^A family's name must be an identifier other than fast, .*: {name}"):
        register_family(name, upsampling)


def test_a_registered_family_of_another_scale_is_refused_when_it_is_built():
    register_family("other", lambda *_: upsampling("hw", 2, "float32"))
    with pytest.raises(ConfigurationError, match="upsamples height x2 and width x2, which is not what hw x4 does"):
        build_network("other", "hw", 4)
