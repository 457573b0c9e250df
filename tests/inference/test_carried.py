"""What lies beside a scan goes along where it stays true."""

import json

import nibabel
import numpy as np
import pytest

from sr_keras.errors import OutputError
from sr_keras.inference.carried import carried_gradients, carried_metadata, check_gradients
from sr_keras.inference.output_grid import OutputGrid
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.regridding import Regridding

FINER = OutputGrid((2, 2, 2), (8, 8, 8), np.eye(4))
TURN = np.array([[0, -1.0, 0, 3], [1.0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
TURNED = OutputGrid((1, 1, 1), (4, 4, 4), np.eye(4), Regridding((4, 4, 4), (4, 4, 4), TURN, 0))
RESAMPLED = OutputGrid(
    (4, 4, 4), (12, 12, 12), np.eye(4), Regridding((16,) * 3, (12,) * 3, rescaled_affine(np.eye(4), (4 / 3,) * 3))
)
# A sidecar as dcm2niix writes it, and what BIDS says of each key.
TRUE = {
    "EchoTime": 0.03,
    "FlipAngle": 90,
    "MagneticFieldStrength": 3,
    "Manufacturer": "Siemens",
    "PhaseEncodingDirection": "j-",
    "RepetitionTime": 2.5,
    "TaskName": "rest",
    "TotalReadoutTime": 0.04,
}
UNTRUE = {
    "AcquisitionMatrixPE": 64,
    "BaseResolution": 64,
    "EffectiveEchoSpacing": 0.0006,
    "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0],
    "PatientName": "Doe^Jane",
    "PatientID": "Q-1",
    "PatientBirthDate": "19500101",
    "ReconMatrixPE": 64,
    "SliceThickness": 3,
    "SliceTiming": [0.0, 1.2],
    "SpacingBetweenSlices": 3.3,
}


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 3), np.int16), np.eye(4)), path)
    (tmp_path / "scan.json").write_text(json.dumps(TRUE | UNTRUE))
    (tmp_path / "scan.bval").write_text("0 1000 1000\n")
    (tmp_path / "scan.bvec").write_text("0 1 0\n0 0 1\n0 0 0\n")
    return path


@pytest.mark.parametrize("grid", [FINER, RESAMPLED])
def test_keys_about_slices_matrices_and_patients_stay_behind(scan, grid):
    assert carried_metadata(scan, grid) == TRUE


def test_on_turned_axes_no_axis_is_named(scan):
    assert carried_metadata(scan, TURNED) == {key: TRUE[key] for key in TRUE if key != "PhaseEncodingDirection"}


@pytest.mark.parametrize("content", ["no JSON", "[1]", '"a"'])
def test_a_sidecar_that_is_none_is_no_obstacle(scan, content):
    scan.with_name("scan.json").write_text(content)
    assert carried_metadata(scan, FINER) == {}


def test_gradients_go_along_with_all_volumes_on_the_same_axes(scan):
    found = carried_gradients(scan, FINER, 3)
    assert found == {suffix: scan.with_name(f"scan{suffix}").read_bytes() for suffix in (".bval", ".bvec")}
    assert carried_gradients(scan, FINER, 1) == carried_gradients(scan, FINER, 4) == {}
    assert carried_gradients(scan, TURNED, 3) == {}


def test_gradients_of_somebody_else_are_not_replaced(scan, tmp_path):
    (tmp_path / "out.bval").write_text("theirs")
    with pytest.raises(OutputError, match=r"out.bval exists and would be replaced by that of the scan; use --force"):
        check_gradients(scan, tmp_path / "out.nii", force=False)
    check_gradients(scan, tmp_path / "out.nii", force=True)


def test_numbers_that_json_has_not_stay_behind(scan):
    odd = {"EchoTime": float("nan"), "Delays": [1.0, float("inf")], "Nested": {"a": [-float("inf")]}}
    scan.with_name("scan.json").write_text(json.dumps(TRUE | odd))
    assert "NaN" in scan.with_name("scan.json").read_text()
    assert carried_metadata(scan, FINER) == {key: value for key, value in TRUE.items() if key != "EchoTime"}
