import json

import pytest
from results import RECORD

from sr_keras.report.record import calibration_of, read_record, rows_of, warnings_of


def test_what_was_done_in_words():
    rows = dict(rows_of(RECORD))
    assert rows == {
        "Software": "sr_keras 1.2.3",
        "Models": "fast_d_x2 (SHA-256 of the weights a1a1a1a1a1a1)",
        "Engine": "onnxruntime",
        "Steps": "d x2 on k",
        "Asked for": "scale 2x2x2, noise kept 0.5",
        # The last but one number is the decadic logarithm of the noise: 0.01.
        "Acquisition": "measured on the scan; d x2 on k: noise 1.0 % of the intensity range, 25 % cubic interpolation",
        "Time": "3.1 s",
    }
    assert warnings_of(RECORD) == ["a short axis"]


def test_adaptation_says_the_gain_and_the_slice_thickness():
    adaptation = {
        "stage": "fast_d_x4",
        "steps": 300,
        "gain_db": 0.412,
        "scans": {"1": {"slice_thickness_mm": 3.2, "thickness_from": "the DICOM header"}},
    }
    record = {"sr_keras": {"adaptation": adaptation}}
    expected = "fast_d_x4, 300 steps, +0.41 dB on slices held out, slices 3.2 mm thick, the DICOM header"
    assert dict(rows_of(record))["Adaptation"] == expected
    assert dict(rows_of({"parameters": {"adaptation": adaptation}, "sr_keras": {}}))["Adaptation"] == expected


def test_the_record_of_a_series(tmp_path):
    record = {
        "software": {"sr_keras": "2.0"},
        "models": {"best_hw_x2": {"weights_sha256": "0" * 64}},
        "engine": "keras",
        "parameters": {"warnings": ["noisy"]},
        "sr_keras": {"request": {"acquisition": "ct_sharp"}, "told": {"hw x2 on ij": {}}},
    }
    (tmp_path / "sr_keras.json").write_text(json.dumps(record))
    assert read_record(tmp_path) == record
    rows = dict(rows_of(record))
    assert rows["Software"] == "sr_keras 2.0"
    assert rows["Models"] == "best_hw_x2 (SHA-256 of the weights 000000000000)"
    assert rows["Acquisition"] == "assumed to be ct_sharp; hw x2 on ij: noise not known"
    assert warnings_of(record) == ["noisy"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sr_keras": 3}', "{" * 9999])
def test_another_program_s_sidecar_is_no_record(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert read_record(tmp_path / "a.nii.gz") == {}
    assert read_record(tmp_path / "b.nii.gz") == {}


@pytest.mark.parametrize("part", ["request", "models", "told", "steps", "warnings", "adaptation", "seconds"])
@pytest.mark.parametrize("value", [None, 3, "text", [1, "x"], {"a": 1}])
def test_a_damaged_record_is_no_error(part, value):
    record = {"sr_keras": RECORD["sr_keras"] | {part: value}, "GeneratedBy": value, "parameters": value}
    assert all(isinstance(text, str) for row in rows_of(record) for text in row)
    assert isinstance(warnings_of(record), list)


def test_how_far_intervals_can_be_trusted():
    record = {
        "Level": 0.9,
        "CalibratedOn": ["8 scans", "8 scans"],
        "CoverageOnOtherScans": {"fast_hw_x2": {"Mean": 0.931, "Least": 0.884}, "fast_d_x2": None},
    }
    assert calibration_of(record) == (
        "half of 90 % intervals; calibrated on 8 scans; "
        "with fast_hw_x2 they held 93 % of the voxels of other scans, 88 % at least"
    )
    assert calibration_of({}) == ""
    assert calibration_of({"Level": 0.5}) == "half of 50 % intervals; not calibrated"
