"""Label maps and phase images are refused by every command that scans come in by."""

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from cohorts import crop, describe
from helpers import write_scan

import sr_keras
from sr_keras.cli import main
from sr_keras.errors import VolumeError
from sr_keras.io.scans import read_scan
from sr_keras.volumes.volume import Volume

LABELS = r"patient.nii.gz looks like a label map \(3 values, in regions\); use predict --labels to resample it with"
PHASE = r"phase.nii.gz looks like a phase image \(angles of -3142 to 314[12] that wrap\); choose the magnitude, or"


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """A label map, and the phase of GE or Philips, whose names say nothing."""
    folder, shape = tmp_path_factory.mktemp("unlike"), (28, 24, 16)
    voxels = np.zeros(shape, np.uint8)
    voxels[4:12, 4:20, 3:9], voxels[12:20, 4:20, 3:9] = 2, 5
    chance = np.random.default_rng(0)
    angles = np.angle(chance.normal(size=shape) + 1j * chance.normal(size=shape))
    angles[0, 0, :2] = -np.pi, np.pi
    write_scan(folder / "patient.nii.gz", voxels)
    write_scan(folder / "phase.nii.gz", (angles * 1000).round().astype(np.int16))
    return folder


COMMANDS = {
    "predict": ("predict", "{scan}", "-o", "{out}/a.nii.gz", "--scale", "2x2x1"),
    "dry run": ("predict", "{scan}", "-o", "{out}/a.nii.gz", "--dry-run"),
    "evaluate": ("evaluate", "{scan}", "--task", "in-plane"),
    "adapt": ("adapt", "{scan}", "-o", "{out}/stage", "--scale", "2"),
    "train": ("train", "georgescu2020_hw_x2", "--data", "{scan}", "--validation", "{scan}", "-o", "{out}/run"),
    "export": ("export", "georgescu2020_hw_x2", "--format", "onnx", "--scan", "{scan}", "-o", "{out}/exported"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("name", "message"), [("patient", LABELS), ("phase", PHASE)], ids=["patient", "phase"])
def test_every_command_that_reads_a_scan_refuses_what_is_none(command, name, message, unlike, tmp_path):
    arguments = [part.format(scan=unlike / f"{name}.nii.gz", out=tmp_path) for part in COMMANDS[command]]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output
    assert re.search(message, result.output), result.output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def simpleitk(path):
    return pytest.importorskip("SimpleITK").ReadImage(str(path))


def training_batches(path):
    return sr_keras.training_batches([str(path)], patch=8, batch=1)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: sr_keras.upscale(str(path), (2, 2, 1)),
        lambda path: sr_keras.upscale(nibabel.load(path), (2, 2, 1)),
        lambda path: sr_keras.upscale(simpleitk(path), (2, 2, 1)),
        lambda path: read_scan(path),
        training_batches,
    ],
    ids=["path", "nibabel", "SimpleITK", "read_scan", "training_batches"],
)
@pytest.mark.parametrize("name", ["patient", "phase"])
def test_so_does_the_python_api(read, name, unlike):
    kind = {"patient": "label map", "phase": "phase image"}[name]
    with pytest.raises(VolumeError, match=f"looks like a {kind} "):
        read(unlike / f"{name}.nii.gz")


def test_a_volume_is_taken_at_its_word(unlike):
    phase = nibabel.load(unlike / "phase.nii.gz")
    volume = Volume(np.asarray(phase.dataobj), phase.affine, "MR")
    with pytest.warns(UserWarning, match="the scan is unlike those"):
        assert sr_keras.upscale(volume, (2, 2, 1)).shape == (56, 48, 16)
    assert read_scan(unlike / "phase.nii.gz", modality="MR").shape == (28, 24, 16)


def test_a_time_series_is_judged_by_its_first_volume(unlike, tmp_path):
    voxels = np.asarray(nibabel.load(unlike / "phase.nii.gz").dataobj)
    path = write_scan(tmp_path / "phase.nii.gz", np.stack([voxels, voxels], -1))
    result = CliRunner().invoke(main, ["predict", str(path), "-o", str(tmp_path / "out.nii.gz"), "--scale", "2x2x1"])
    assert result.exit_code == 1
    assert re.search(PHASE, result.output)
    assert [each.name for each in tmp_path.iterdir()] == ["phase.nii.gz"]


@pytest.mark.parametrize(
    ("record", "part"),
    [
        ({"Modality": "MR", "ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "phase"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]}, "phase"),
        ({"ImageType": ["DERIVED", "PRIMARY", "R", "ND"]}, "real"),
        ({"ComplexImageComponent": "IMAGINARY"}, "imaginary"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]}, ""),
        ({"ImageType": ["P"]}, ""),
        ({"Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "P"]}, ""),
        ({"ImageType": 7}, ""),
        (["P"], ""),
    ],
)
def test_the_sidecar_of_dcm2niix_may_say_so(small_scan, tmp_path, record, part):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(small_scan.read_bytes())
    path.with_name("scan.json").write_text(json.dumps(record))
    if not part:
        assert read_scan(path).shape == (48, 40, 24)
        return
    with pytest.raises(VolumeError, match=rf"looks like a {part} image \(as its .json says\); choose the magnitude"):
        read_scan(path)


def test_a_cohort_does_not_trust_names(unlike, tmp_path):
    root = describe(tmp_path / "data")
    crop(root / "sub-01/anat/sub-01_T1w.nii.gz")
    path = Path(root / "sub-02/anat/sub-02_T2w.nii.gz")
    path.parent.mkdir(parents=True)
    path.write_bytes((unlike / "phase.nii.gz").read_bytes())
    arguments = ["bids", str(root), str(tmp_path / "out"), "participant", "--scale", "2x2x1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output
    assert "sub-02_T2w.nii.gz: failed: looks like a phase image (angles of" in result.output
    assert [each.name[:10] for each in (tmp_path / "out").rglob("*.nii.gz")] == ["sub-01_res"]
