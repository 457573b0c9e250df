"""`export`, `verify` and `info` as a user meets them."""

import json

import pytest
from click.testing import CliRunner

from sr_keras.cli import main
from sr_keras.engines.formats import parse_formats
from sr_keras.errors import ConfigurationError
from sr_keras.export import parse_shape
from sr_keras.resources import format_bytes


def run(*arguments, expect=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "new"
    result = run("export", "georgescu2020_hw_x2", "--format", "onnx", "-o", folder)
    size = format_bytes((folder / "georgescu2020_hw_x2_fp32.onnx").stat().st_size)
    assert f"| georgescu2020_hw_x2_fp32.onnx | onnx   | fp32      | {size} |" in result.stdout
    assert "passed" in result.stdout
    return folder / "georgescu2020_hw_x2_fp32.onnx"


def test_info_prints_the_manifest(onnx_file):
    content = json.loads(run("info", onnx_file).stdout)
    assert (content["format"], content["opset"], content["card"]["scale"]) == ("onnx", 13, 2)


def test_verify_prints_the_table(onnx_file):
    assert "passed" in run("verify", onnx_file).stdout


def test_predict_takes_an_exported_file(onnx_file, small_scan, tmp_path):
    result = run("predict", small_scan, "--model", onnx_file, "--scale", "2x2x1", "-o", tmp_path / "out.nii.gz")
    assert "96x80x24 voxels" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--format", "caffe"),
            "caffe is not a format; choose from saved_model, onnx, litert, openvino, ncnn, tensorrt, tensorrt-rtx.",
        ),
        (("--format", "onnx", "--precision", "fp8"), "fp8 is not a precision; choose from fp32, fp16, int8."),
        (
            ("--format", "onnx", "--shape", "256"),
            "256 is not a shape; write batch, height and width as in 1x256x256",
        ),
    ],
)
def test_export_refuses_what_there_is_not_as_a_mistake_in_the_call(options, message, tmp_path):
    result = run("export", "georgescu2020_hw_x2", *options, "-o", tmp_path / "out", expect=2)
    assert message in result.stderr


def test_export_refuses_with_one_line(tmp_path):
    options = ("--format", "onnx,openvino", "--precision", "int8")
    result = run("export", "georgescu2020_hw_x2", *options, "-o", tmp_path / "out", expect=1)
    assert "openvino has no int8; choose fp32 or fp16, or" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_tensorrt_engine_without_its_package_or_gpu_is_refused_by_one_line(tmp_path):
    for output in (tmp_path, tmp_path / "new"):
        result = run("export", "georgescu2020_hw_x2", "--format", "tensorrt", "-o", output, expect=1)
        assert "no NVIDIA GPU" in result.stderr or "pip install 'sr_keras[tensorrt]'" in result.stderr
        assert not list(tmp_path.iterdir())


def test_info_refuses_what_is_no_exported_file(tmp_path):
    assert "x.onnx does not exist; name an exported file" in run("info", tmp_path / "x.onnx", expect=1).stderr


def test_shapes_and_formats_are_parsed():
    assert parse_shape("1x256x256") == (1, 256, 256)
    assert parse_shape("?x64x?") == (None, 64, None)
    assert parse_formats("onnx, litert,onnx") == ["onnx", "litert"]
    with pytest.raises(ConfigurationError, match="^0x4x4 is not a shape"):
        parse_shape("0x4x4")
