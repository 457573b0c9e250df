"""The ONNX file computes what the Keras network does, times the factor of each pixel's region."""

import json

import numpy as np
import onnxruntime
import pytest

from sr_keras.uncertainty.conformal import Factors, edges_of
from sr_keras.uncertainty.network import RADIUS, build, quantile_loss
from sr_keras.uncertainty.onnx_file import onnx_model


@pytest.mark.parametrize(("stage", "scale"), [("hw", 2), ("d", 4)])
def test_the_file_equals_keras(stage, scale):
    generator = np.random.default_rng(0)
    network = build(stage, scale)
    network.set_weights([generator.normal(scale=0.3, size=each.shape) for each in network.get_weights()])
    # Noise, and rows without edges.
    images = generator.random((2, 14, 11)).astype(np.float32) * (np.arange(14)[:, None] > 6)
    model = onnx_model(network, Factors(3.0, 0.5), {"level": 0.9})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"lr": images})[0]
    factor = Factors(3.0, 0.5).at(edges_of(images))
    # Beyond the border the image goes on.
    padded = np.pad(images, ((0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)), "edge")
    expected = np.asarray(network(padded[..., None]))[:, RADIUS:-RADIUS, RADIUS:-RADIUS, 0] * factor
    assert len(np.unique(factor)) == 2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert json.loads(session.get_modelmeta().custom_metadata_map["sr_keras"]) == {"level": 0.9}


def test_the_loss_is_least_at_the_quantile():
    errors = np.abs(np.random.default_rng(0).normal(size=(1, 200, 200, 1))).astype(np.float32)
    losses = {
        width: float(np.mean(np.asarray(quantile_loss(errors, np.full_like(errors, width)))))
        for width in (1.2, 1.5, 1.6449, 1.8, 2.2)
    }
    # The half-width of the 90 % interval of a standard normal.
    assert min(losses, key=losses.get) == 1.6449
