"""`predict` in a shell: several scans, what goes to which stream, completion."""

import json
import os
import pty
import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from sr_keras.cli import main
from sr_keras.machine import available_cores, limited_threads

QUICK = ("--scale", "1x1x2")


def predict(*arguments, expect=0):
    result = CliRunner().invoke(main, ["predict", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture
def scans(small_scan, tmp_path, monkeypatch):
    """Two small scans in a folder, which is the working directory."""
    image = nibabel.load(small_scan).slicer[10:34, 8:30, 2:20]
    for name in ("a.nii.gz", "b.nii.gz"):
        nibabel.save(image, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_several_scans_and_patterns_go_into_a_folder(scans):
    result = predict("a.nii.gz", "b*.nii.gz", "-o", "out", *QUICK)
    lines = result.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines[:2]] == [["a.nii.gz", "done"], ["b.nii.gz", "done"]]
    assert lines[2].startswith("2 done, 0 skipped, 0 failed")
    assert sorted(path.name for path in (scans / "out").iterdir()) == ["a.json", "a.nii.gz", "b.json", "b.nii.gz"]
    assert predict("*.nii.gz", "-o", "out", *QUICK).stdout.splitlines()[-1].startswith("0 done, 2 skipped")


def test_one_scan_goes_into_a_folder_where_a_slash_or_the_folder_says_so(scans):
    predict("a.nii.gz", "-o", "new/", *QUICK)
    predict("b.nii.gz", "-o", "new", *QUICK)
    assert sorted(path.name for path in (scans / "new").glob("*.gz")) == ["a.nii.gz", "b.nii.gz"]


def test_a_program_gets_one_object_for_each_scan_and_nothing_else(scans):
    (scans / "c.nii.gz").write_bytes(b"no scan")
    result = predict("a.nii.gz", "c.nii.gz", "-o", "out", *QUICK, "--json", expect=1)
    good, bad = map(json.loads, result.stdout.splitlines())
    assert (good["scan"], good["output"], good["status"]) == ("a.nii.gz", "out/a.nii.gz", "done")
    assert (good["shape"], good["slice_axis"], good["engine"]) == ([24, 22, 36], 2, "onnxruntime")
    assert list(good["models"]) == ["fast_d_x2"]
    assert good["seconds"] > 0
    assert (bad["status"], "no complete NIfTI file" in bad["reason"]) == ("failed", True)
    alone = json.loads(predict("b.nii.gz", "-o", "b_out.nii", *QUICK, "--json").stdout)
    assert (alone["status"], alone["shape"]) == ("done", [24, 22, 36])
    failed = json.loads(predict("c.nii.gz", "-o", "c_out.nii", *QUICK, "--json", expect=1).stdout)
    assert (failed["status"], "no complete NIfTI file" in failed["reason"]) == ("failed", True)
    planned = json.loads(predict("b.nii.gz", "-o", "plan.nii", *QUICK, "--json", "--dry-run").stdout)
    assert (planned["status"], planned["memory_bytes"] > 0) == ("planned", True)


@pytest.mark.usefixtures("scans")
def test_quiet_says_nothing_and_verbose_what_is_run():
    noise = np.random.default_rng(0).normal(500, 100, (40, 40, 40)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(noise, np.eye(4)), "noise.nii")
    quiet = predict("noise.nii", "-o", "q.nii", *QUICK, "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    verbose = predict("a.nii.gz", "-o", "v.nii", *QUICK, "--verbose")
    assert "a.nii.gz: 24x22x18 voxels of " in verbose.stderr
    assert "; slice axis 2 (k); models fast_d_x2 on onnxruntime; steps d x2 on k; result 24x22x36" in verbose.stderr
    assert "v.nii: 24x22x36 voxels" in verbose.stdout


@pytest.mark.usefixtures("scans")
def test_labels_go_with_one_scan():
    message = "--labels goes with one SCAN and a file as OUTPUT"
    assert message in predict("a.nii.gz", "b.nii.gz", "-o", "out", "--labels", "a", "b", expect=2).stderr
    labels = nibabel.load("a.nii.gz")
    segmentation = nibabel.Nifti1Image((np.asarray(labels.dataobj) > 200).astype(np.uint8), labels.affine)
    nibabel.save(segmentation, "seg.nii.gz")
    predict("a.nii.gz", "-o", "up.nii.gz", *QUICK, "--labels", "seg.nii.gz", "seg_up.nii.gz")
    assert nibabel.load("seg_up.nii.gz").shape == nibabel.load("up.nii.gz").shape == (24, 22, 36)


@pytest.mark.usefixtures("scans")
def test_on_a_terminal_no_line_holds_both_a_bar_and_a_message():
    """Stdout to a pipe, stderr to a terminal: lines arrive whole on both."""
    noise = np.random.default_rng(0).normal(500, 100, (40, 40, 40)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(noise, np.eye(4)), "noise.nii.gz")
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "sr_keras",
        "predict",
        "a.nii.gz",
        "noise.nii.gz",
        "-o",
        "out",
        *QUICK,
        "--verbose",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "COLUMNS": "300"})
    os.close(theirs)
    screen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        screen += part
    stdout = process.communicate()[0].decode()
    assert process.returncode == 0
    assert [line.split(":")[0] for line in stdout.splitlines()][:2] == ["a.nii.gz", "noise.nii.gz"]
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.decode()).replace("\r", "\n").splitlines()
    bars = [line for line in lines if "━" in line]
    messages = [line for line in lines if "Warning: scan looks noisy" in line or "; slice axis " in line]
    assert bars
    assert len(messages) >= 2
    assert not [line for line in messages if "━" in line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_the_shells_that_are_documented(shell):
    completion = get_completion_class(shell)(main, {}, "sr-keras", "_SR_KERAS_COMPLETE")
    assert "_SR_KERAS_COMPLETE" in completion.source_template % completion.source_vars()
    found = {each.value for each in completion.get_completions(["predict"], "--s")}
    assert {"--scale", "--spacing", "--series", "--slice-axis", "--self-ensemble"} <= found


def test_help_has_a_short_name():
    assert predict("-h").stdout == predict("--help").stdout


def test_threads_are_limited_and_given_back():
    before = available_cores()
    with limited_threads(1):
        assert available_cores() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert available_cores() == before
