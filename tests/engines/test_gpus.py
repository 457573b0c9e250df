"""Every shipped stage on software GPUs: on WebGPU and on Vulkan its output is that of Keras; and the readers in C++."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import SIDE, small_slices
from software_drivers import FETCHED, LLVMPIPE, SWIFTSHADER, driver_file

from sr_keras.engines import KerasEngine
from sr_keras.engines.manifest import read_manifest
from sr_keras.export import Request
from sr_keras.export.ncnn import write as write_ncnn
from sr_keras.export.onnx import write as write_onnx
from sr_keras.export.verification import compare
from sr_keras.models.stages import find_stage, shipped_stages

pytestmark = pytest.mark.webgpu
SCRIPT = Path(__file__).with_name("run_on_gpu.py")
READERS = Path(__file__).parents[2] / "export"
STAGES = list(shipped_stages().items())


def run_on(pattern, folder, *words):
    """Run a Python program on a driver; the test is skipped if it says that something is missing."""
    file = str(driver_file(pattern))
    variables = {"VK_DRIVER_FILES": file, "VK_ICD_FILENAMES": file, "XDG_RUNTIME_DIR": str(folder)}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)
    if "MissingDependencyError" in done.stderr or "finds no WebGPU adapter" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_gpu(kind, pattern, inputs, folder):
    """The outputs of models, by their inputs' names, and what they ran on."""
    np.savez(folder / "inputs.npz", **inputs)
    said = run_on(pattern, folder, SCRIPT, kind, folder / "inputs.npz", folder / "outputs.npz")
    with np.load(folder / "outputs.npz") as outputs:
        return dict(outputs), said.splitlines()[-1]


@pytest.fixture(scope="module")
def expected():
    return {name: KerasEngine(stage).run(small_slices(stage)[0]) for name, stage in STAGES}


def verification(name, output, expected):
    stage = find_stage(name)
    return compare([output], [expected[name]], [small_slices(stage)[1]])


def written(write, precision, folder):
    """Model files of every stage, by the stage's name."""
    files = {}
    for name, stage in STAGES:
        files[name] = folder / f"{name}.{'ncnn.param' if write is write_ncnn else 'onnx'}"
        write(Request(stage, precision), files[name]).write(files[name])
    return files


def by_stage(kind, pattern, files, folder):
    inputs = {str(files[name]): small_slices(stage)[0] for name, stage in STAGES}
    outputs, runtime = on_gpu(kind, pattern, inputs, folder)
    return {name: outputs[str(files[name])] for name, _ in STAGES}, runtime


@pytest.fixture(scope="module")
def webgpu(tmp_path_factory):
    files = {name: name for name, _ in STAGES}
    return by_stage("webgpu", SWIFTSHADER, files, tmp_path_factory.mktemp("webgpu"))


@pytest.fixture(scope="module")
def webgpu_half(tmp_path_factory):
    folder = tmp_path_factory.mktemp("half")
    return by_stage("webgpu", LLVMPIPE, written(write_onnx, "fp16", folder), folder)


@pytest.fixture(scope="module", params=[SWIFTSHADER, LLVMPIPE])
def vulkan(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ncnn")
    return by_stage("ncnn", request.param, written(write_ncnn, "fp32", folder), folder)


@pytest.mark.parametrize("name", [name for name, _ in STAGES])
def test_a_stage_on_webgpu_is_that_on_keras(name, webgpu, expected):
    outputs, runtime = webgpu
    assert runtime.startswith("onnxruntime WebGPU (")
    assert runtime.endswith(", software)")
    assert verification(name, outputs[name], expected).largest_error <= 1e-5


@pytest.mark.parametrize("name", [name for name, _ in STAGES])
def test_a_stage_in_half_precision_on_webgpu_loses_little(name, webgpu_half, expected):
    found = verification(name, webgpu_half[0][name], expected)
    assert found.psnr_loss <= 0.02
    assert 0 < found.largest_error < 0.02


def test_verify_on_webgpu_ends_beside_tensorflow(tmp_path):
    # llvmpipe brings an LLVM, as drivers of GPUs may, and TensorFlow has another one.
    path = tmp_path / "fast_d_x2.onnx"
    write_onnx(Request(find_stage("fast_d_x2"), "fp16"), path).write(path)
    said = run_on(LLVMPIPE, tmp_path, "-m", "sr_keras", "verify", path, "--engine", "webgpu")
    assert "passed" in said
    verified = read_manifest(path).verification
    assert "llvmpipe" in verified["runtime"]
    assert verified["reference"] == "fast_d_x2 on Keras"


@pytest.mark.parametrize("name", [name for name, _ in STAGES])
def test_a_stage_by_ncnn_on_vulkan_is_that_on_keras(name, vulkan, expected):
    outputs, runtime = vulkan
    assert runtime.startswith("ncnn Vulkan (")
    assert verification(name, outputs[name], expected).largest_error <= 1e-4


def headers_and_library(kind, folder):
    """Folders with the headers and the library of a runtime: those of ONNXRUNTIME_ROOT or NCNN_ROOT if they are set.

    For ONNX Runtime, the headers of Debian and the library in the wheel do as well.
    """
    given = os.environ.get(f"{kind.upper()}_ROOT")
    root = Path(given or FETCHED / kind)
    header = {"onnxruntime": "onnxruntime_cxx_api.h", "ncnn": "net.h"}[kind]
    headers = [path.parent for path in root.rglob(header)]
    if not (headers and shutil.which("g++")):
        pytest.skip(f"needs g++, and {kind.upper()}_ROOT with include and lib")
    if given:
        return headers[0], root / "lib"
    wheel = importlib.util.find_spec("onnxruntime").submodule_search_locations[0]
    library = next(Path(wheel, "capi").glob("libonnxruntime.so.*"))
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(library)
    return headers[0], folder


@pytest.mark.parametrize("kind", ["onnxruntime", "ncnn"])
def test_the_output_of_a_reader_in_cpp_is_that_of_keras(kind, tmp_path):
    headers, library = headers_and_library(kind, tmp_path)
    file_format = {"onnxruntime": "onnx"}.get(kind, kind)
    program, stage = tmp_path / "read", find_stage("fast_hw_x2")
    source = READERS / f"read_{file_format}.cpp"
    command = ["g++", "-std=c++17", source, f"-I{headers}", f"-L{library}", f"-l{kind}", "-lpthread", "-o", program]
    subprocess.run(command, check=True)
    model = tmp_path / {"onnx": "model.onnx", "ncnn": "model.ncnn.param"}[file_format]
    {"onnx": write_onnx, "ncnn": write_ncnn}[file_format](Request(stage), model)
    images = small_slices(stage)[0]
    images.tofile(tmp_path / "images.f32")
    words = [model, "images.f32", *images.shape, "result.f32"]
    variables = os.environ | {"LD_LIBRARY_PATH": str(library)}
    subprocess.run([str(program), *map(str, words)], check=True, cwd=tmp_path, env=variables)
    result = np.fromfile(tmp_path / "result.f32", np.float32).reshape(2, 2 * SIDE, 2 * SIDE)
    np.testing.assert_allclose(result, KerasEngine(stage).run(images), atol=1e-5)
