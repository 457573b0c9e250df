"""Exported files are loaded, run, and refused where they should be."""

import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import tensorflow as tf

from sr_keras.engines import KerasEngine, load_engine
from sr_keras.engines.loading import manifest_of
from sr_keras.engines.manifest import manifest_path
from sr_keras.engines.saved_model_engine import SavedModelEngine
from sr_keras.engines.tensorrt_engine import check_hardware, pack_metadata, unpack_metadata
from sr_keras.errors import ModelFileError, UnknownModelError
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.stages import find_stage, shipped_stages
from sr_keras.volumes.volume import Volume

FORMATS = ("saved_model", "onnx", "litert", "openvino", "ncnn")


@pytest.fixture(scope="module")
def brain(sample):
    """Three normalised slices with tissue, (3, 48, 40)."""
    return (sample.voxels[60:108, 20:60, 50:53].transpose(2, 0, 1) / sample.voxels.max()).astype(np.float32)


@pytest.fixture(scope="module")
def expected(brain):
    return KerasEngine(find_stage("georgescu2020_hw_x2")).run(brain)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_output_of_every_format_is_that_of_keras(exported, kind, brain, expected):
    engine = load_engine(exported[kind][0])
    np.testing.assert_allclose(engine.run(brain), expected, atol=1e-5)
    np.testing.assert_allclose(engine.run(brain[:1]), expected[:1], atol=1e-5)
    assert [tensor.name for tensor in (*engine.inputs, *engine.outputs)] == ["lr", "final"]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_upscaler_gives_the_same_volume_with_every_format(exported, kind, sample):
    crop = Volume(sample.voxels[60:108, 20:60, 50:54], sample.affine)
    volumes = [
        Upscaler([engine]).upscale(crop, (2, 2, 1)).voxels
        for engine in (KerasEngine(find_stage("georgescu2020_hw_x2")), load_engine(exported[kind][0]))
    ]
    np.testing.assert_allclose(volumes[1], volumes[0], atol=1e-5 * 1.1 * float(sample.voxels.max()))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_without_its_manifest_is_described_by_its_embedded_metadata(exported, kind, tmp_path, brain, expected):
    path, manifest = exported[kind]
    for source in path.parent.glob(f"{path.stem}.*"):
        if source.name == path.name or (kind in ("openvino", "ncnn") and source.suffix == ".bin"):
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
    alone = manifest_of(tmp_path / path.name)
    assert alone.metadata_json() == manifest.metadata_json()
    assert (alone.verification, alone.files) == ({}, {})
    np.testing.assert_allclose(load_engine(tmp_path / path.name).run(brain), expected, atol=1e-5)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_changed_file_is_refused(exported, kind, tmp_path):
    path, _ = exported[kind]
    for source in path.parent.glob(f"{path.stem}.*"):
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
    changed = tmp_path / path.name
    changed = changed / "saved_model.pb" if changed.is_dir() else changed
    changed.write_bytes(changed.read_bytes() + b"\0")
    with pytest.raises(ModelFileError, match=r"has another SHA-256 than .*\.json states; copy or export both again\.$"):
        load_engine(tmp_path / path.name)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".xml", ".engine", ".rtx"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no model", b"\x00" * 64])
def test_a_damaged_file_is_refused_by_one_line(tmp_path, suffix, content):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"^[^\n]*(cannot be read by|has no metadata of sr_keras;)[^\n]*$"):
        load_engine(path)


def test_ncnn_weights_that_are_cut_or_missing_are_refused(exported, tmp_path):
    source = exported["ncnn"][0]
    path = shutil.copy(source, tmp_path / source.name)
    for content in (source.with_suffix(".bin").read_bytes()[:1000], b"", None):
        weights = path.with_suffix(".bin")
        weights.unlink() if content is None else weights.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"cannot be read by ncnn: its layers or its weights are damaged;"):
            load_engine(path).run(np.zeros((1, 16, 16), np.float32))


def test_half_a_file_is_refused(exported, tmp_path):
    for kind in ("onnx", "litert"):
        path, _ = exported[kind]
        half = tmp_path / path.name
        half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ModelFileError, match=r"cannot be read by (onnx|ai).*; copy or export it again\."):
            load_engine(half).run(np.zeros((1, 16, 16), np.float32))


@pytest.mark.parametrize("name", ["model.keras", "model.pt", "model.pkl", "scan.nii.gz"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(ModelFileError, match=name + r" is no model file: .* none of .savedmodel, .onnx, "):
        load_engine(tmp_path / name)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(UnknownModelError, match="^unet is not a model; "):
        load_engine("unet")


def test_a_manifest_of_another_schema_is_refused(exported, tmp_path):
    path, _ = exported["onnx"]
    shutil.copy(path, tmp_path / path.name)
    manifest_path(tmp_path / path.name).write_text('{"schema": "other"}')
    with pytest.raises(ModelFileError, match=r"json does not follow the schema sr_keras/manifest/2 \(.*; export the"):
        load_engine(tmp_path / path.name)


def test_a_saved_model_that_could_touch_files_is_refused_unread(exported, tmp_path):
    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32, name="lr")])
        def serve(self, lr):
            tf.io.write_file(str(tmp_path / "taken"), "over")
            return {"final": lr}

    module = Writer()
    tf.saved_model.save(module, str(tmp_path / "evil"), signatures={"serving_default": module.serve})
    engine = SavedModelEngine(tmp_path / "evil", exported["saved_model"][1])
    with pytest.raises(ModelFileError, match="operators that may do more than compute: WriteFile"):
        engine.run(np.zeros((1, 8, 8), np.float32))
    assert not (tmp_path / "taken").exists()


def test_an_engine_for_other_hardware_is_refused():
    with pytest.raises(
        ModelFileError, match="^x.rtx was built for SM89, SM120, and this GPU is SM75; export it again for this GPU"
    ):
        check_hardware("x.rtx", {"compute_capabilities": ["SM89", "SM120"]}, "SM75")
    check_hardware("x.rtx", {"compute_capabilities": ["SM89"]}, "SM89")


def test_shipped_models_run_on_onnxruntime_and_were_exported_from_the_shipped_weights():
    for name, stage in shipped_stages().items():
        engine = load_engine(name)
        assert engine.runtime == "onnxruntime"
        assert engine.name == name
        assert engine.card.weights_sha256 == stage.card.weights_sha256
        assert engine.manifest.verification["status"] == "passed"
        assert load_engine(name, "keras").runtime == "Keras"


def test_the_base_package_predicts_where_no_framework_can_be_imported(small_scan, tmp_path):
    blocked = "import sys; sys.modules.update(dict.fromkeys(('keras', 'tensorflow', 'onnx', 'ai_edge_litert')))"
    program = f"{blocked}; from sr_keras.cli import main; main()"
    command = [sys.executable, "-c", program, "predict", str(small_scan), "-o", str(tmp_path / "out.nii.gz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "96x80x48 voxels" in done.stdout


def test_a_missing_runtime_is_named_with_its_command(exported):
    program = (
        "import sys; sys.modules['ai_edge_litert'] = None; import numpy; from sr_keras.engines import load_engine;"
        f"load_engine({str(exported['litert'][0])!r}).run(numpy.zeros((1, 16, 16), 'f'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingDependencyError" in done.stderr
    assert "; install it: pip install 'sr_keras[litert]'." in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 200_000, "json is not valid JSON: nested too deeply"),
        (b"[]", r"json does not follow the schema .*TypeError"),
        (b'"\x1b[2J"', "json is not valid JSON: Invalid control character"),
    ],
    ids=["deep", "list", "control"],
)
def test_a_damaged_manifest_is_refused_by_one_line(exported, tmp_path, content, message):
    path, _ = exported["onnx"]
    shutil.copy(path, tmp_path / path.name)
    manifest_path(tmp_path / path.name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_engine(tmp_path / path.name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("metadata", ["[" * 200_000, '{"schema": 2', "[]", "\x1b"])
def test_damaged_metadata_is_refused_by_one_line(exported, tmp_path, metadata):
    model = onnx.load(exported["onnx"][0])
    onnx.helper.set_model_props(model, {"sr_keras": metadata})
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(ModelFileError, match=r"x\.onnx (is not valid JSON: .*|does not follow the schema .*) again\."):
        load_engine(tmp_path / "x.onnx")


def test_metadata_of_a_tensorrt_engine_is_unpacked_within_bounds():
    packed = pack_metadata('{"a": 1}').encode()
    assert unpack_metadata(b"\0engine\0" + packed + b"\0") == '{"a": 1}'
    assert unpack_metadata(b"engine") is None
    for bad in (pack_metadata(" " * (17 << 20)), pack_metadata("{}")[:-8], "sr_keras:AAAA"):
        with pytest.raises(ValueError, match="metadata is damaged|padding"):
            unpack_metadata(bad.encode() + b"\0")
