"""Layers of networks of one's own give in ONNX and ncnn what they give in Keras, at several sizes."""

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from sr_keras.engines import KerasEngine
from sr_keras.engines.ncnn_engine import NcnnEngine
from sr_keras.errors import ModelFileError
from sr_keras.export import Request
from sr_keras.export.ncnn import write as write_ncnn
from sr_keras.export.onnx import onnx_model


def model_of(*steps):
    """A network of layers on features, between a convolution and a sub-pixel layer, over repeated pixels."""
    images = keras.Input((None, None, 1))
    features = layers.Conv2D(4, 3, padding="same")(images)
    for step in steps:
        features = step(features)
    shuffled = keras.ops.depth_to_space(layers.Conv2D(4, 3, padding="same")(features), 2)
    return keras.Model(images, layers.Add()([shuffled, layers.UpSampling2D(2)(images)]), name="mine")


def randomise(model):
    """Give every weight a value of its own: ones and zeros would hide a factor."""
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in model.get_weights()])
    return model


def with_other(layer):
    """A layer of two inputs, the other one made of the first."""
    return lambda features: layer([features, layers.Conv2D(4, 1)(features)])


STEPS = {
    "BatchNormalization": lambda: layers.BatchNormalization(),
    "plain BatchNormalization": lambda: layers.BatchNormalization(scale=False, center=False),
    "Concatenate": lambda: with_other(layers.Concatenate()),
    "Multiply": lambda: with_other(layers.Multiply()),
    "Subtract": lambda: with_other(layers.Subtract()),
    "LeakyReLU": lambda: layers.LeakyReLU(0.2),
    "PReLU": lambda: layers.PReLU(shared_axes=(1, 2)),
    "ReLU": lambda: layers.ReLU(),
    "leaky ReLU": lambda: layers.ReLU(negative_slope=0.1),
    "Dropout": lambda: layers.Dropout(0.5),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_layer_gives_the_same_in_onnx(name):
    engine = KerasEngine(randomise(model_of(STEPS[name]())), stage="hw", scale=2)
    for for_processors in (False, True):
        file = onnx_model(Request(engine.stage), for_processors=for_processors).SerializeToString()
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for size in ((2, 8, 12), (1, 7, 5)):
            images = np.random.default_rng(1).uniform(-1, 1, size).astype(np.float32)
            (output,) = session.run(["final"], {"lr": images[..., None]})
            np.testing.assert_allclose(output[..., 0], engine.run(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", STEPS)
def test_a_layer_gives_the_same_in_ncnn(name, tmp_path):
    engine = KerasEngine(randomise(model_of(STEPS[name]())), stage="hw", scale=2)
    path = tmp_path / "mine.ncnn.param"
    manifest = write_ncnn(Request(engine.stage), path)
    exported = NcnnEngine(path, manifest)
    for size in ((2, 8, 12), (1, 7, 5)):
        images = np.random.default_rng(1).uniform(-1, 1, size).astype(np.float32)
        np.testing.assert_allclose(exported.run(images), engine.run(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "step",
    [
        layers.ReLU(max_value=6),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Rescaling(0.5),
    ],
)
def test_layers_without_a_counterpart_are_refused(step, tmp_path):
    images = keras.Input((None, None, 1))
    features = layers.UpSampling2D(2)(images) if not isinstance(step, layers.UpSampling2D) else images
    engine = KerasEngine(keras.Model(images, step(features)), stage="hw", scale=2)
    with pytest.raises(ModelFileError, match=f"^The {type(step).__name__} {step.name} cannot be exported to ONNX"):
        onnx_model(Request(engine.stage), for_processors=True)
    with pytest.raises(ModelFileError, match=f"^The {type(step).__name__} {step.name} cannot be exported to ncnn"):
        write_ncnn(Request(engine.stage), tmp_path / "mine.ncnn.param")
    assert not list(tmp_path.iterdir())
