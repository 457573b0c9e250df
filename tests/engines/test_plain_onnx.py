"""Without blocks, shipped ONNX files give bit-identical outputs, and have the layers that were trained."""

import numpy as np
import onnx
import onnxruntime
import pytest

from sr_keras.engines.loading import shipped_onnx
from sr_keras.engines.plain_onnx import plain_onnx
from sr_keras.export import Request
from sr_keras.export.onnx import onnx_model
from sr_keras.models.stages import find_stage, shipped_stages

GPU_OPERATORS = {"Conv", "Relu", "Add", "DepthToSpace", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}


def run(content, images):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["final"], {"lr": images[..., None]})[0]


@pytest.mark.parametrize("stage", shipped_stages().values(), ids=lambda stage: stage.name)
def test_a_plain_graph_is_that_of_the_trained_layers(stage):
    content = shipped_onnx(stage).read_bytes()
    plain = plain_onnx(content, "onnx")
    model = onnx.load_from_string(plain)
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} <= GPU_OPERATORS
    for node in model.graph.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        assert set(attributes.get("strides", [1])) == {1}
        assert attributes.get("blocksize", stage.card.scale) == stage.card.scale
    read = {name for node in model.graph.node for name in node.input}
    assert {constant.name for constant in model.graph.initializer} <= read
    assert model.metadata_props == onnx.load_from_string(content).metadata_props
    for size in ((2, 23, 31), (1, 8, 12)):
        images = np.random.default_rng(0).random(size, dtype=np.float32)
        np.testing.assert_array_equal(run(plain, images), run(content, images))


@pytest.mark.parametrize("name", ["fast_hw_x2", "georgescu2020_d_x2"])
def test_half_precision_is_raised_to_the_opset_of_webgpu(name):
    content = onnx_model(Request(find_stage(name), "fp16")).SerializeToString()
    plain = plain_onnx(content, "onnx")
    assert [each.version for each in onnx.load_from_string(content).opset_import] == [9]
    assert [each.version for each in onnx.load_from_string(plain).opset_import] == [13]
    images = np.random.default_rng(0).random((2, 7, 9), dtype=np.float32)
    np.testing.assert_array_equal(run(plain, images), run(content, images))


def test_a_graph_without_blocks_stays_as_it_is():
    plain = plain_onnx(shipped_onnx(shipped_stages()["georgescu2020_hw_x2"]).read_bytes(), "onnx")
    assert onnx.load_from_string(plain_onnx(plain, "onnx")) == onnx.load_from_string(plain)
