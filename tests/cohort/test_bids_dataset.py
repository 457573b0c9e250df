"""The results as the standard's own validator sees them (https://github.com/bids-standard/bids-validator)."""

import json
import subprocess
from importlib.metadata import files, version

import pytest
from click.testing import CliRunner
from cohorts import crop

from sr_keras.cli import main
from sr_keras.cohort.bids_dataset import begin_dataset
from sr_keras.errors import OutputError


def issues(root):
    """What the validator finds in a data set: severity, code and place."""
    program = next(
        file.locate() for file in files("bids-validator-deno") if file.name.startswith("bids-validator-deno")
    )
    run = subprocess.run([program.resolve(), root, "--format", "json"], capture_output=True, text=True)
    found = json.loads(run.stdout)["issues"]["issues"]
    return {(issue["severity"], issue["code"], issue.get("location")) for issue in found}


def run(*words):
    return CliRunner().invoke(main, ["bids", *map(str, words)], catch_exceptions=False)


def test_the_validator_finds_no_error_in_results_of_real_scans(data, tmp_path):
    out = tmp_path / "out"
    crop(data / "sub-02/anat/sub-02_T2w.nii", 5)
    crop(data / "sub-02/ct/sub-02_ct.nii.gz", 6)
    assert run(data, out, "participant").exit_code == 0
    assert run(data, out, "group").exit_code == 0
    assert len(list(out.rglob("*_desc-SR_*.nii.gz"))) == 6
    # Authors are those of the data set, and for its user to name.
    assert {(severity, code) for severity, code, _ in issues(out)} <= {("warning", "TOO_FEW_AUTHORS")}
    # The validator does look at these files: a name out of order is one error.
    wrong = out / "sub-02/anat/sub-02_desc-SR_res-x2_T1w.nii.gz"
    (out / "sub-02/anat/sub-02_res-x2_desc-SR_T1w.nii.gz").rename(wrong)
    assert any(severity == "error" and wrong.name in str(place) for severity, _, place in issues(out))


def test_the_folder_says_what_it_is(data, tmp_path):
    out = tmp_path / "derivatives" / "sr"
    begin_dataset(data, out, {"m": "hash"})
    content = json.loads((out / "dataset_description.json").read_text())
    assert content["DatasetType"] == "derivative"
    assert content["GeneratedBy"][0] == {"Name": "sr_keras", "Version": version("sr_keras"), "Models": {"m": "hash"}}
    assert content["SourceDatasets"] == [{"URL": "../../data/"}]
    assert content["DatasetLinks"] == {"raw": "../../data/"}
    assert content["License"] == "CC0"
    begin_dataset(data, out, {"m": "hash"})


def test_somebody_else_s_folder_is_left_alone(data, tmp_path):
    with pytest.raises(OutputError, match="data is the input itself; choose another output"):
        begin_dataset(data, data, {})
    other = tmp_path / "other"
    other.mkdir()
    (other / "dataset_description.json").write_text('{"Name": "x", "GeneratedBy": [{"Name": "fMRIPrep"}]}')
    with pytest.raises(OutputError, match="other is a data set that sr_keras did not make; choose another folder"):
        begin_dataset(data, other, {})


@pytest.mark.parametrize("name", ["dataset_description.json", "README", ".bidsignore"])
def test_what_a_killed_run_left_beside_a_file_that_is_there_is_removed(data, tmp_path, name):
    begin_dataset(data, tmp_path / "out", {})
    stale = tmp_path / "out" / f".sr_keras-{name}"
    stale.mkdir()
    (stale / name).write_text("half")
    begin_dataset(data, tmp_path / "out", {})
    assert not stale.exists()
