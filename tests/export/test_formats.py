"""Every format and precision: the file passes numerical verification in its own runtime, and its manifest is true."""

import json
from dataclasses import asdict
from importlib.resources import files

import jsonschema
import numpy as np
import onnx
import onnxruntime
import pytest

from sr_keras.engines import KerasEngine, load_engine
from sr_keras.engines.formats import FORMATS
from sr_keras.engines.loading import manifest_of
from sr_keras.engines.manifest import manifest_path
from sr_keras.engines.signature import ShapeLimits
from sr_keras.engines.tensorrt_engine import METADATA
from sr_keras.errors import ConfigurationError, MissingDependencyError, ModelFileError, OutputError
from sr_keras.export import Request, export_stage, model_file_path, steps, verify
from sr_keras.export.reference_slices import ReferenceSlices, shipped_reference_slices
from sr_keras.export.tensorrt import profile
from sr_keras.models.stages import find_stage

HW, D = (find_stage(f"georgescu2020_{stage}_x2") for stage in ("hw", "d"))
SLICES = shipped_reference_slices()
REFERENCES = {stage.name: KerasEngine(stage) for stage in (HW, D)}
RUN_HERE = [(kind, precision) for kind in FORMATS if "tensorrt" not in kind for precision in FORMATS[kind].precisions]
SCHEMA = json.loads((files("sr_keras") / "engines" / "manifest.schema.json").read_text())


def exported(stage, precision, kind, folder, **options):
    request = Request(stage, precision, SLICES, **options)
    return export_stage(request, kind, folder, reference=REFERENCES[stage.name])


@pytest.mark.parametrize("stage", [HW, D], ids=lambda stage: stage.name)
@pytest.mark.parametrize(("kind", "precision"), RUN_HERE)
def test_an_exported_file_is_equal_to_keras_within_its_precision(stage, kind, precision, tmp_path):
    path, manifest = exported(stage, precision, kind, tmp_path)
    verification = manifest.verification
    assert verification["status"] == "passed"
    assert len({batch[1:] for batch in verification["batches"]}) == 2
    assert len({batch[0] for batch in verification["batches"]}) >= 2
    assert verification["largest_error"] <= {"fp32": 1e-5, "fp16": 5e-3, "int8": 0.3}[precision]
    assert verification["psnr_loss"] < {"fp32": 1e-4, "fp16": 0.02, "int8": 0.15}[precision]
    assert 25 < verification["psnr_to_ground_truth"] < 50
    content = json.loads(manifest_path(path).read_text())
    jsonschema.validate(content, SCHEMA)
    assert content == json.loads(json.dumps(asdict(manifest_of(path))))
    assert not [left for left in tmp_path.iterdir() if left.name.startswith(".")]


@pytest.mark.parametrize("kind", ["onnx", "litert", "openvino", "ncnn", "saved_model"])
def test_a_fixed_shape_is_fixed(kind, tmp_path, sample):
    path, manifest = exported(HW, "fp32", kind, tmp_path, shape=(1, 64, 48))
    assert path.name.startswith("georgescu2020_hw_x2_1x64x48_fp32.")
    assert manifest.inputs[0].shape == (1, 64, 48, 1)
    assert manifest.outputs[0].shape == (1, 128, 96, 1)
    engine = load_engine(path)
    images = sample.voxels[:64, :48, 40:42].transpose(2, 0, 1).astype(np.float32) / 500
    np.testing.assert_allclose(engine.run(images[:1]), REFERENCES[HW.name].run(images[:1]), atol=1e-5)
    with pytest.raises(ModelFileError, match="fp32.* accepts batch 1, height 64, width 48. Received: 2x64x48"):
        engine.run(images)


@pytest.mark.parametrize("kind", ["onnx", "litert", "openvino", "ncnn", "saved_model"])
def test_the_intermediate_output_is_there_on_request(kind, tmp_path, sample):
    path, manifest = exported(D, "fp32", kind, tmp_path, intermediate=True)
    assert [tensor.name for tensor in manifest.outputs] == ["final", "intermediate"]
    images = sample.voxels[50:90, 40, None, 30:60].transpose(1, 0, 2).astype(np.float32) / 500
    np.testing.assert_allclose(load_engine(path).run(images), REFERENCES[D.name].run(images), atol=1e-5)


@pytest.mark.parametrize("stage", [HW, D], ids=lambda stage: stage.name)
def test_the_onnx_graph_has_no_leftovers(stage, tmp_path):
    path, manifest = exported(stage, "fp32", "onnx", tmp_path, intermediate=True)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    operators = [node.op_type for node in model.graph.node]
    assert (operators.count("Conv"), operators.count("Relu"), operators.count("Add")) == (10, 10, 3)
    layout = {"Transpose", "Squeeze", "Unsqueeze", "DepthToSpace", "Shape", "Gather", "Mul", "Slice"}
    assert set(operators) - {"Conv", "Relu", "Add"} <= layout
    assert len(operators) <= 39
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]
    assert manifest.opset == 13
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", "height", "width", 1]
    assert [output.name for output in session.get_outputs()] == ["final", "intermediate"]
    intermediate, final = session.run(["intermediate", "final"], {"lr": SLICES.second[:1, ..., None]})
    network = stage.network.predict_on_batch(SLICES.second[:1, ..., None])
    np.testing.assert_allclose(intermediate, network["intermediate"], atol=1e-5)
    np.testing.assert_allclose(final, network["final"], atol=1e-5)


def test_the_same_stage_gives_the_same_onnx_graph(tmp_path):
    graphs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        path, _ = exported(HW, "fp32", "onnx", tmp_path / name)
        graphs.append(onnx.load(path).graph.SerializeToString(deterministic=True))
    assert graphs[0] == graphs[1]


def test_half_and_int8_onnx_have_float_inputs_and_outputs(tmp_path):
    for precision, sign in (("fp16", onnx.TensorProto.FLOAT16), ("int8", onnx.TensorProto.INT8)):
        path, _ = exported(HW, precision, "onnx", tmp_path)
        graph = onnx.load(path).graph
        types = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
        assert types == {onnx.TensorProto.FLOAT}
        assert sign in {constant.data_type for constant in graph.initializer}


def test_a_file_beyond_its_tolerance_is_refused_and_not_kept(tmp_path):
    noise = np.random.default_rng(0).random((8, 48, 48), dtype=np.float32)
    dark = ReferenceSlices(noise * 1e-3, SLICES.first, SLICES.second)
    request = Request(HW, "int8", dark)
    with pytest.raises(
        ModelFileError, match=r"int8.onnx loses .* dB of PSNR, and int8 allows at most 0\.15; use a higher precision"
    ):
        export_stage(request, "onnx", tmp_path, reference=REFERENCES[HW.name])
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_without_force(tmp_path):
    path, _ = exported(HW, "fp32", "saved_model", tmp_path)
    with pytest.raises(OutputError, match=r"\.savedmodel exists; use --force to overwrite\.$"):
        exported(HW, "fp32", "saved_model", tmp_path)
    again, _ = export_stage(
        Request(HW, "fp32", SLICES), "saved_model", tmp_path, reference=REFERENCES[HW.name], force=True
    )
    assert again == path
    assert load_engine(again).run(np.zeros((1, 16, 16), np.float32)).shape == (1, 32, 32)


def test_what_another_run_exported_meanwhile_is_kept(tmp_path, monkeypatch):
    other = model_file_path(Request(HW, "fp32", SLICES), "onnx", tmp_path)
    monkeypatch.setattr(steps, "require_tensorflow", lambda _: other.write_text("of another run"))
    with pytest.raises(OutputError, match=r"\.onnx exists; use --force to overwrite\.$"):
        exported(HW, "fp32", "onnx", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [other.name]
    assert other.read_text() == "of another run"


@pytest.mark.parametrize("kind", ["saved_model", "openvino", "ncnn"])
def test_a_precision_that_a_format_cannot_have_is_refused(kind, tmp_path):
    with pytest.raises(
        ConfigurationError, match=f"^{kind} has no int8; choose fp32 or fp16, or export int8 to onnx, litert"
    ):
        exported(HW, "int8", kind, tmp_path)


def test_verify_writes_its_result_to_the_manifest(tmp_path):
    path, manifest = exported(HW, "fp32", "onnx", tmp_path)
    manifest_path(path).unlink()
    assert manifest_of(path).verification == {}
    assert verify(path, SLICES).verification == manifest.verification
    assert manifest_of(path).verification["status"] == "passed"
    with pytest.raises(ModelFileError, match="from weights with the SHA-256 .*, not from georgescu2020_d_x2; name"):
        verify(path, SLICES, "georgescu2020_d_x2")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_tensorrt_rtx_builds_for_two_compute_capabilities_without_a_gpu(precision, tmp_path):
    engines = []
    for number, capabilities in enumerate((("SM89",), ("SM75",), ("SM75", "SM89"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        path, manifest = exported(HW, precision, "tensorrt-rtx", folder, compute_capabilities=capabilities)
        engines.append(METADATA.sub(b"", path.read_bytes()))
        assert manifest.target["compute_capabilities"] == list(capabilities)
        assert manifest.target["tensorrt_rtx"].startswith("1.")
        assert manifest.shape_limits == ShapeLimits((1, 2), (8, 512), (8, 512))
        jsonschema.validate(json.loads(manifest_path(path).read_text()), SCHEMA)
        manifest_path(path).unlink()
        assert manifest_of(path).card.weights_sha256 == HW.card.weights_sha256
    assert len(set(engines)) == 3
    assert all(engine[4:8] + engine[:4] == bytes(4) + b"vtrt" for engine in engines)
    assert min(map(len, engines)) > 100_000
    if manifest.verification["status"] == "not verified":
        assert "was not run or deserialised here" in manifest.verification["reason"]
        with pytest.raises((MissingDependencyError, ModelFileError), match="finds no NVIDIA GPU|and this GPU is"):
            load_engine(path).run(np.zeros((1, 16, 16), np.float32))


@pytest.mark.parametrize(
    ("shape", "workspace", "limits"),
    [
        ((None, None, None), 1 << 30, ShapeLimits((1, 2), (8, 512), (8, 512))),
        ((None, None, None), 1 << 28, ShapeLimits((1, 1), (8, 404), (8, 404))),
        ((None, 128, 128), 1 << 30, ShapeLimits((1, 8), (128, 128), (128, 128))),
        ((1, 256, 256), 1 << 28, ShapeLimits((1, 1), (256, 256), (256, 256))),
    ],
)
def test_the_profile_follows_the_workspace(shape, workspace, limits):
    assert profile(Request(HW, "fp32", SLICES, shape=shape, workspace=workspace)) == limits


def test_a_shape_beyond_the_workspace_is_refused():
    with pytest.raises(ConfigurationError, match=r"^8x512x512 exceeds the workspace of 268.4 MB, .* 163840 pixels"):
        profile(Request(HW, "fp32", SLICES, shape=(8, 512, 512), workspace=1 << 28))


def test_an_unknown_compute_capability_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="^SM42 is not a compute capability .*; choose from SM75, SM80, "):
        exported(HW, "fp32", "tensorrt-rtx", tmp_path, compute_capabilities=("SM42",))
    with pytest.raises(ConfigurationError, match="^onnx cannot be built for chosen .*; leave out SM89"):
        exported(HW, "fp32", "onnx", tmp_path, compute_capabilities=("SM89",))
