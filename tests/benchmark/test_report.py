"""Figures of samples, computed by hand."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from sr_keras.benchmark.report import (
    draw_report,
    print_report,
    read_report,
    schema,
    summarise,
    warnings_of,
    write_report,
)
from sr_keras.errors import ConfigurationError, OutputError

COMPARE = Path(__file__).parents[2] / "benchmarks" / "compare.py"


def measured(label, batch, samples, **values):
    return {
        "label": label,
        "runtime": label,
        "batch": batch,
        "slices": batch,
        "megapixels": 0.5 * batch,
        "macs": 10**9 * batch,
        "load_s": 1.0,
        "first_s": 0.5,
        "samples_s": samples,
        "parts_s": [],
        "peak_bytes": 10**8,
        "psnr_to_baseline": None,
        "skipped": "",
        **values,
    }


def report(*measurements, rates=(1e11, 1e11, 1e11), **values):
    return {
        "format": "sr_keras.benchmark/1",
        "started": "2026-01-01T00:00:00+00:00",
        "settings": {
            "scenario": "offline",
            "height": 256,
            "width": 256,
            "batches": [1],
            "seconds": 1.0,
            "repeats": 3,
            "threads": None,
            "scan": None,
        },
        "machine": {
            "processor": "a processor",
            "cores": 2,
            "memory_bytes": 1,
            "system": "a system",
            "python": "3.11",
            "gpus": [],
            "versions": {},
        },
        "gpu_before": [],
        "gpu_after": [],
        "matrix_macs_per_s": list(rates),
        "measurements": list(measurements),
        **values,
    }


SLOW = measured("slow", 4, [[0.2, 0.2], [0.2, 0.2], [0.2, 0.2]])
FAST = measured("fast", 4, [[0.1] * 9 + [0.3]] * 3)


def test_a_gpu_in_software_is_named_and_not_compared(capsys):
    runtime = "onnxruntime WebGPU (SwiftShader Device, software)"
    written = report(SLOW, measured("webgpu", 4, [[0.1] * 3] * 3, runtime=runtime))
    row = summarise(written)[1]
    assert (row["ratio"], row["limit_fraction"]) == (None, None)
    assert warnings_of(written) == [f"{runtime} is a program on the processor, no GPU; its times say nothing."]
    print_report(written)
    assert "SwiftShader Device" in capsys.readouterr().out


def test_figures_by_hand():
    slow, fast = summarise(report(SLOW, FAST))
    assert (slow["p50_s"], slow["ratio"], slow["slices_per_s"], slow["megavoxels_per_s"]) == pytest.approx(
        (0.2, 1, 20, 10)
    )
    # 4 G MACs in 0.1 s are 40 G a second, of 100 G that the machine can do.
    assert (fast["limit_fraction"], fast["ratio"], fast["samples"]) == pytest.approx((0.4, 2, 30))
    assert (fast["p90_s"], fast["p99_s"]) == pytest.approx((0.12, 0.3))


def test_a_quiet_machine_needs_no_warning_and_a_noisy_one_gets_it():
    assert warnings_of(report(SLOW, FAST)) == []
    noisy = measured("noisy", 1, [[0.1], [0.11], [0.1]])
    (sentence,) = warnings_of(report(noisy))
    assert sentence == "The machine is too noisy for figures within 5 %: medians differ for noisy at batch 1 by 10%."
    (sentence,) = warnings_of(report(SLOW, rates=(1e11, 0.9e11, 1e11)))
    assert sentence == "The machine drifts: its rate of matrix products differs by 10% between repeats."
    skipped = measured("small", 8, [], skipped="it accepts batch 1, height any, width any")
    (sentence,) = warnings_of(report(SLOW, skipped))
    assert sentence == "small at batch 8 was not measured: it accepts batch 1, height any, width any."
    clocks = {
        "gpu_before": [{"name": "a GPU", "clocks.sm": "1900"}],
        "gpu_after": [{"name": "a GPU", "clocks.sm": "1500"}],
    }
    assert warnings_of(report(SLOW, **clocks)) == ["a GPU fell from 1900 to 1500 MHz."]


def test_the_table_and_the_picture(tmp_path, capsys):
    volume = measured("vol", 1, [[0.3]], parts_s=[{"read_s": 0.1, "compute_s": 0.15, "write_s": 0.05}])
    print_report(report(SLOW, FAST, volume))
    printed = " ".join(capsys.readouterr().out.split())
    assert "| fast | 4 | 100.0 | 120.0 | 300.0 | 30 | 40.0 | 20.00 | 40% | 2.00 | 1.00 | 0.50 | 100.0 MB |" in printed
    assert "a processor, 2 cores, no GPU; the limit is a float32 matrix product at 100 G MAC/s" in printed
    assert "vol, a volume of 1 slices: reading 0.10 s, computing 0.15 s, writing 0.05 s" in printed
    draw_report(report(SLOW, FAST), tmp_path / "times.png")
    assert (tmp_path / "times.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match=r"times.png exists; use --force to overwrite"):
        draw_report(report(SLOW, FAST), tmp_path / "times.png", force=False)


def test_a_report_is_read_back_and_keeps_its_schema(tmp_path):
    jsonschema.validate(report(SLOW, FAST), schema())
    write_report(report(SLOW), tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report(SLOW)
    with pytest.raises(OutputError, match=r"report.json exists; use --force to overwrite"):
        write_report(report(SLOW), tmp_path / "report.json", force=False)
    (tmp_path / "other.json").write_text('{"format": "another"}')
    with pytest.raises(ConfigurationError, match=r"other.json is not a report of sr-keras benchmark; run"):
        read_report(tmp_path / "other.json")


@pytest.mark.parametrize(("new", "code"), [(0.205, 0), (0.3, 1)])
def test_compare_fails_past_its_bound(tmp_path, new, code):
    for name, seconds in (("old", 0.2), ("new", new)):
        (tmp_path / f"{name}.json").write_text(json.dumps(report(measured("engine", 1, [[seconds]] * 3))))
    command = [sys.executable, str(COMPARE), str(tmp_path / "old.json"), str(tmp_path / "new.json"), "1.1"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (code, f"engine, batch 1: new/old {new / 0.2:.3f}, spread 0.000\n")
