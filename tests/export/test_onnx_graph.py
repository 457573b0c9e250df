"""Graphs optimised for CPUs give the outputs of plain ones, at sizes that are multiples of a block and at others."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_keras.engines.onnx_engine import METADATA_KEY
from sr_keras.errors import ModelFileError
from sr_keras.export import Request
from sr_keras.export.onnx import onnx_model
from sr_keras.export.onnx_graph import onnx_graph
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import SHIPPED, find_stage, shipped_stages

NAMES = ("georgescu2020_hw_x2", "georgescu2020_d_x4", "fast_hw_x2", "fast_d_x2", "fast_hw_x4")
SLICES = shipped_reference_slices()


def model_of(name, *, for_processors, **options):
    return onnx_model(Request(find_stage(name), "fp32", SLICES, **options), for_processors=for_processors)


def session_of(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module", params=NAMES)
def name_and_sessions(request):
    models = (model_of(request.param, for_processors=choice, intermediate=True) for choice in (False, True))
    return request.param, *map(session_of, models)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 2), st.integers(1, 23), st.integers(1, 23)),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1.0, 1e-30, 1e30]),
)
def test_images_of_any_size_are_the_same(name_and_sessions, size, seed, scale):
    name, *sessions = name_and_sessions
    images = np.random.default_rng(seed).random((*size, 1), np.float32) * np.float32(scale)
    plain, optimised = (session.run(["final", "intermediate"], {"lr": images}) for session in sessions)
    for before, after in zip(plain, optimised, strict=True):
        if "_hw_" in name:
            np.testing.assert_array_equal(before, after)
        else:
            # In the transposed graph the sums have another order.
            np.testing.assert_allclose(before, after, atol=2e-6 * max(scale, 1))


def filters_of(model):
    constants = {constant.name: constant.dims[0] for constant in model.graph.initializer}
    return [constants[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]


@pytest.mark.parametrize(
    ("name", "narrow"),
    [
        # The layer before the shuffle and the last one.
        ("georgescu2020_hw_x2", [4, 1]),
        ("georgescu2020_d_x4", [4, 1]),
        # The interpolation, parallel to the other layers, and the last layer.
        ("fast_hw_x2", [4, 4]),
        ("fast_d_x2", [2, 2]),
        ("fast_hw_x4", []),
    ],
)
def test_no_convolution_has_fewer_than_sixteen_filters(name, narrow):
    plain, optimised = (filters_of(model_of(name, for_processors=choice)) for choice in (False, True))
    assert [count for count in plain if count < 16] == narrow
    assert optimised == [count if count >= 16 else 16 for count in plain]


def test_only_images_that_are_not_multiples_of_a_block_are_cropped():
    for shape, expected in (((1, 24, 22), 0), ((1, 24, 21), 2), ((1, None, 24), 2)):
        model = model_of("georgescu2020_hw_x2", for_processors=True, shape=shape)
        onnx.checker.check_model(model, full_check=True)
        operators = [node.op_type for node in model.graph.node]
        assert (operators.count("DepthToSpace"), operators.count("Slice")) == (2, expected)
        assert ("Shape" in operators) is bool(expected)


def test_graphs_that_upsample_the_width_only_are_transposed():
    for name, expected in (
        ("georgescu2020_d_x2", [(0, 2, 1)] * 2),
        ("georgescu2020_hw_x2", [(0, 3, 1, 2), (0, 2, 3, 1)]),
    ):
        nodes = model_of(name, for_processors=True).graph.node
        assert [tuple(node.attribute[0].ints) for node in nodes if node.op_type == "Transpose"] == expected


@pytest.mark.parametrize("name", shipped_stages())
def test_the_output_is_that_of_the_shipped_file_bit_for_bit(name):
    shipped = onnx.load(SHIPPED / "onnx" / f"{name}.onnx")
    assert METADATA_KEY in {entry.key for entry in shipped.metadata_props}
    images = SLICES.second[:2, :45, :38, None]
    before, after = (
        session_of(model).run(["final"], {"lr": images})[0] for model in (shipped, model_of(name, for_processors=True))
    )
    np.testing.assert_array_equal(before, after)


def squared(tensor):
    layer = keras.layers.Conv2D(1, 3, padding="same")
    return layer(layer(tensor))


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (keras.layers.MaxPool2D, "^The MaxPooling2D max.* cannot be exported to ONNX; choose another format"),
        (lambda: keras.layers.Conv2D(1, 3, strides=2, padding="same"), "^The Conv2D conv2d.* cannot be exported"),
        (lambda: keras.layers.Conv2D(1, 3, padding="valid"), "^The Conv2D conv2d.* cannot be exported"),
        (lambda: keras.layers.Activation("gelu"), "^The activation gelu cannot be exported"),
        (lambda: squared, "^A network that uses a layer twice cannot be exported"),
    ],
    ids=["layer", "strides", "padding", "activation", "shared"],
)
@pytest.mark.parametrize("for_processors", [False, True])
def test_a_layer_without_a_counterpart_is_refused(apply, message, for_processors):
    images = keras.Input((None, None, 1), name="lr")
    final = keras.layers.Activation("linear", name="final")(apply()(images))
    network = keras.Model(images, {"final": final})
    with pytest.raises(ModelFileError, match=message):
        onnx_graph(onnx, network, (None, None, None), (1, 1), for_processors=for_processors)
