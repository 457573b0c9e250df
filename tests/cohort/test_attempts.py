import json
from dataclasses import replace

import pytest
from cohorts import crop

from sr_keras.cohort.attempts import attempt
from sr_keras.cohort.items import Scan
from sr_keras.files import file_sha256


@pytest.fixture
def scan(tmp_path):
    path = crop(tmp_path / "sub-01_T1w.nii.gz")
    return Scan("sub-01", path, tmp_path / "out" / "new" / "x.nii.gz", "MR", "bids:raw:sub-01_T1w.nii.gz")


def entry(job, scan):
    (found,) = attempt(job, scan).entries
    return found


def test_a_scan_is_done_once(job, scan):
    first = entry(job, scan)
    assert first.state == "done"
    assert first.input_sha256 == file_sha256(scan.path)
    assert first.output_sha256 == file_sha256(scan.output)
    assert set(first.models) == {"fast_d_x2", "fast_hw_x2"}
    assert first.seconds > 0
    assert first.peak_memory_bytes > 10_000_000
    assert entry(job, scan).state == "unchanged"


def test_a_result_that_was_made_otherwise_is_made_again_only_by_force(job, scan):
    entry(job, scan)
    other = replace(job, factors=(2, 2, 1))
    refused = entry(other, scan)
    assert refused.state == "failed"
    assert refused.reason == "its result was made with other options (factors); use --force to make it again"
    assert entry(replace(other, force=True), scan).state == "done"
    # What is as it should be stays, with --force too: a rerun of ten thousand scans does what is missing.
    assert entry(replace(other, force=True), scan).state == "unchanged"


def test_a_damaged_scan_fails_with_its_reason(job, scan):
    scan.path.write_bytes(scan.path.read_bytes()[:-500])
    failed = entry(job, scan)
    assert failed.state == "failed"
    assert failed.reason.startswith("is truncated or corrupt")
    assert not scan.output.exists()


def test_a_bug_in_one_scan_does_not_end_the_others(job, scan):
    bug = entry(replace(job, factors=None), scan)
    assert bug.state == "failed"
    assert "Traceback" in bug.reason
    assert "TypeError" in bug.reason


def test_the_sidecar_speaks_bids(job, scan):
    scan.path.with_name("sub-01_T1w.json").write_text('{"SkullStripped": true}')
    entry(job, scan)
    record = json.loads(scan.output.with_name("x.json").read_text())
    assert record["Sources"] == ["bids:raw:sub-01_T1w.nii.gz"]
    assert record["SkullStripped"] is True
    assert record["Resolution"].startswith("40x36x32 voxels of ")
    assert set(record["GeneratedBy"][0]["Models"]) == {"fast_d_x2", "fast_hw_x2"}
