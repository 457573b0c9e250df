"""Benchmarks on small images, for tenths of a second."""

import time

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from helpers import SAMPLE

from sr_keras.benchmark.process import WorkerProcess
from sr_keras.benchmark.report import read_report, schema, summarise
from sr_keras.benchmark.session import Candidate, run_benchmark
from sr_keras.benchmark.settings import Settings, parse_batches, parse_size
from sr_keras.cli import main
from sr_keras.errors import ConfigurationError, ModelFileError
from sr_keras.machine import MATRIX, describe_machine, matrix_rate

MODEL = "georgescu2020_hw_x2"


def test_two_engines_are_compared_and_timed_in_turn(tmp_path):
    arguments = [MODEL, "--engine", "keras,onnx", "--shape", "24x32", "--batch", "1,2", "--duration", "0.1"]
    outputs = ["--json", str(tmp_path / "times.json"), "--plot", str(tmp_path / "times.png")]
    result = CliRunner().invoke(main, ["benchmark", *arguments, *outputs])
    assert result.exit_code == 0, result.output
    report = read_report(tmp_path / "times.json")
    jsonschema.validate(report, schema())
    assert [(m["label"], m["batch"]) for m in report["measurements"]] == [
        ("keras", 1),
        ("onnx", 1),
        ("keras", 2),
        ("onnx", 2),
    ]
    for measured in report["measurements"]:
        assert len(measured["samples_s"]) == 3
        assert measured["macs"] == 114_336 * 24 * 32 * measured["batch"]
        assert measured["peak_bytes"] > 50e6
    assert report["measurements"][1]["psnr_to_baseline"] > 100
    assert len(summarise(report)) == 4
    assert "| onnx " in result.stdout
    assert (tmp_path / "times.png").exists()


@pytest.mark.slow
def test_a_whole_scan_is_read_super_resolved_and_written():
    settings = Settings("volume", 16, 16, seconds=0.1, threads=1, scan=str(SAMPLE))
    (measured,) = run_benchmark([Candidate("onnx", MODEL, "onnx")], settings, lambda _: None)["measurements"]
    assert measured["slices"] == 112
    assert measured["macs"] == 114_336 * 168 * 80 * 112
    assert all(seconds > 0 for part in measured["parts_s"] for seconds in part.values())


def test_engines_of_different_networks_are_not_timed_together():
    candidates = [Candidate("hw", MODEL, "onnx"), Candidate("d", "georgescu2020_d_x2", "onnx")]
    with pytest.raises(ModelFileError, match="^The engines run different stages: hw x2 and d x2; "):
        run_benchmark(candidates, Settings(height=16, width=16, seconds=0.1), lambda _: None)


def test_errors_of_an_engine_come_back_from_its_process(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="bad.onnx"):
        run_benchmark([Candidate("bad", str(tmp_path / "bad.onnx"))], Settings(), lambda _: None)


def test_threads_are_bounded_by_the_cores():
    with pytest.raises(ConfigurationError, match="^--threads 1000 is out of range; this process may use 1 to "):
        WorkerProcess(1000)


def test_sizes_and_batches_are_read():
    assert parse_size("256x128") == (256, 128)
    assert parse_batches("1, 8,32") == (1, 8, 32)
    for text in ("256", "0x1", "axb"):
        with pytest.raises(ConfigurationError, match=f"^{text} is not a size; write height and width"):
            parse_size(text)
    with pytest.raises(ConfigurationError, match="^1,0 is not a list of batch sizes; write integers above zero"):
        parse_batches("1,0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "caffe"), "caffe is not an engine; choose from keras, webgpu, saved_model, "),
        (("--engine", "onnx", "--precision", "fp8"), "fp8 is not a precision; choose from fp32, "),
    ],
)
def test_engines_and_precisions_that_do_not_exist_are_refused(arguments, message):
    result = CliRunner().invoke(main, ["benchmark", MODEL, *arguments])
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_limit_is_no_lower_than_what_numpy_reaches():
    matrix = np.ones((MATRIX, MATRIX), np.float32)
    start = time.perf_counter()
    matrix @ matrix
    # Other tests may take the cores away in between.
    assert matrix_rate(0.2) > 0.1 * MATRIX**3 / (time.perf_counter() - start)


def test_the_machine_is_described_whole():
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["memory_bytes"] > 1e9
    assert {"sr_keras", "numpy", "keras", "onnxruntime"} <= set(machine["versions"])
