import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import pytest
from click.testing import CliRunner
from cohorts import write_bids

from sr_keras.cli import main


@pytest.fixture
def data(tmp_path):
    return write_bids(tmp_path / "data")


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)], catch_exceptions=False)


def test_lists_come_as_words_as_commas_or_as_options(data, tmp_path):
    for words in (["--participant_label", "01", "02"], ["--participant-label", "01,sub-02"]):
        result = run("bids", data, tmp_path / "out", "participant", *words, "--suffix", "T1w", "FLAIR", "--dry-run")
        assert "Scans: 4 to do, 0 done, 0 that cannot be done." in result.stdout
    result = run("bids", data, tmp_path / "out", "participant", "--session-label", "2", "--dry-run")
    assert "Scans: 1 to do" in result.stdout
    assert not (tmp_path / "out").exists()


def test_a_failure_is_said_counted_and_the_exit_code(data, tmp_path):
    (data / "sub-02/anat/sub-02_T1w.nii.gz").write_bytes(b"no scan")
    result = run("bids", data, tmp_path / "out", "participant")
    assert result.exit_code == 1
    assert "sub-02/anat/sub-02_T1w.nii.gz: failed: is no complete NIfTI file" in result.stdout
    assert "3 done, 0 unchanged, 1 failed" in result.stdout
    result = run("bids", data, tmp_path / "out", "group")
    assert result.exit_code == 1
    assert "group_SR.html: 3 done, 1 failed" in result.stdout
    plan = run("bids", data, tmp_path / "out", "participant", "--dry-run").stdout
    assert "Scans: 1 to do, 3 done, 1 that cannot be done." in plan


def test_noise_and_acquisition_are_those_of_predict(data, tmp_path):
    words = ("bids", data, tmp_path / "out", "participant", "--participant-label", "02")
    assert run(*words, "--noise", "reduce", "--acquisition", "mri_k_space_1").exit_code == 0
    (path,) = (tmp_path / "out").rglob("sub-02*.json")
    request = json.loads(path.read_text())["sr_keras"]["request"]
    assert (request["noise"], request["acquisition"]) == (0.5, "mri_k_space_1")
    again = run(*words)
    assert again.exit_code == 1
    assert "its result was made with other options (noise, acquisition)" in again.stdout
    result = run(
        "predict",
        data / "sub-02/anat/sub-02_T1w.nii.gz",
        "-o",
        tmp_path / "x.nii.gz",
        "--noise",
        "0.5",
        "--acquisition",
        "mri_k_space_1",
    )
    assert result.exit_code == 0
    made, same = (
        nibabel.load(each).get_fdata() for each in (*(tmp_path / "out").rglob("*.nii.gz"), tmp_path / "x.nii.gz")
    )
    assert (made == same).all()


def test_a_group_before_its_participants(data, tmp_path):
    result = run("bids", data, tmp_path / "out", "group")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'out'} has no ledger of a run; do the scans first, then the group.\n"
    assert not (tmp_path / "out").exists()


def test_parts_together_are_the_whole(data, tmp_path):
    for number in (1, 2, 3):
        assert run("bids", data, tmp_path / "out", "participant", "--part", f"{number}/3").exit_code == 0
    assert "4 done" in run("bids", data, tmp_path / "out", "group").stdout
    assert len(list((tmp_path / "out/logs").glob("ledger_part-?of3.jsonl"))) == 3


def test_wrong_usage(data, tmp_path):
    result = run("bids", data, tmp_path / "out", "participant", "--workers", "2", "--scheduler", "tcp://x:1")
    assert result.exit_code == 2
    assert "Give --workers or --scheduler, not both." in result.stderr
    assert "is no part; write it like 3/16" in run("bids", data, tmp_path, "participant", "--part", "4/3").stderr


def test_studies_are_done_with_their_refusals(tmp_path):
    series = Path(__file__).parents[1] / "data" / "dicom"
    (tmp_path / "studies").mkdir()
    for name in ("hitachi_implicit", "README.md"):
        (tmp_path / "studies" / name).symlink_to(series / name)
    words = ("studies", tmp_path / "studies", "-o", tmp_path / "out")
    plan = run(*words, "--scale", "2x2x1", "--dry-run").stdout
    assert "README.md: refused: a scan must hold DICOM images" in plan
    assert "Scans: 1 to do" in plan
    result = run(*words, "--scale", "2x2x1")
    assert result.exit_code == 0
    assert "1 done, 0 unchanged, 0 failed, 0 set aside, 1 refused" in result.stdout
    assert "1 refused, 1 done" in run(*words, "--group").stdout
    assert "is in the folder of the studies" in run("studies", tmp_path, "-o", tmp_path / "out").stderr


def test_no_cluster_without_dask(data, tmp_path):
    code = "import sys; sys.modules['distributed'] = sys.modules['dask'] = None; from sr_keras.cli import main; main()"
    words = ["bids", data, tmp_path / "out", "participant", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 1
    assert "install it: pip install 'sr_keras[cohort]'." in done.stderr
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text())["DatasetType"] == "derivative"
