"""One way in for every form of a scan, and the command line through it."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from pydicom import dcmread

from sr_keras.cli import main
from sr_keras.dicom.provenance import Processing
from sr_keras.dicom.reading import read_series
from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.io.scans import Choice, check_scan_output, is_scan_folder, read_scan, write_scan

DATA = Path(__file__).parents[1] / "data" / "dicom"
SERIES, TIME_SERIES, ENHANCED = DATA / "compressed_rle", DATA / "ge_fmri", DATA / "philips_enhanced_fmri"


@pytest.fixture
def predict():
    """Run `sr-keras predict` and return its result."""

    def run(*arguments):
        return CliRunner().invoke(main, ["predict", *map(str, arguments)])

    return run


def test_a_scan_is_read_whatever_form_it_has(small_scan, tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for path in SERIES.iterdir():
            archive.write(path, path.name)
    shapes = [read_scan(path).shape for path in (small_scan, SERIES, tmp_path / "scan.zip")]
    assert shapes == [(48, 40, 24), (256, 256, 4), (256, 256, 4)]
    file = next(ENHANCED.iterdir())
    assert read_scan(file, choice=Choice(frame_group=2)).shape == (64, 64, 8)


def test_what_is_no_scan_is_refused(small_scan, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(VolumeError, match="notes.txt is neither an image file .* nor DICOM .*; convert it first"):
        read_scan(tmp_path / "notes.txt")
    with pytest.raises(VolumeError, match="nowhere does not exist; check the path"):
        read_scan(tmp_path / "nowhere")
    with pytest.raises(
        ConfigurationError, match="is no DICOM series to choose from; leave --series and --frame-group out"
    ):
        read_scan(small_scan, choice=Choice(series="1"))


def test_a_folder_of_nifti_files_is_no_scan(small_scan, tmp_path):
    assert is_scan_folder(SERIES)
    assert not is_scan_folder(small_scan.parent)
    assert not is_scan_folder(tmp_path / "nowhere")


def test_outputs_are_checked_before_any_work(small_scan, tmp_path):
    with pytest.raises(OutputError, match="out is no name of an image file; name the output .nii.gz"):
        check_scan_output(small_scan, tmp_path / "out", None, force=False)
    with pytest.raises(ConfigurationError, match="--dtype float32 is for NIfTI, .*; leave it out, or write a .nii.gz"):
        check_scan_output(SERIES, tmp_path / "out", "float32", force=False)
    check_scan_output(SERIES, tmp_path / "out.nii", "float32", force=False)


def test_nifti_made_of_dicom_has_both_transforms_and_mm(tmp_path):
    volume = read_series(SERIES)
    write_scan(volume, tmp_path / "out.nii.gz", like=volume, dtype=None, processing=Processing({}, "none"))
    image = nibabel.load(tmp_path / "out.nii.gz")
    for transform, code in (image.get_qform(coded=True), image.get_sform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(transform, volume.affine, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asarray(image.dataobj), volume.voxels)


def test_dicom_in_dicom_out(predict, tmp_path):
    result = predict(SERIES, "-o", tmp_path / "out", "--scale", "2x2x1")
    assert result.exit_code == 0, result.output
    assert "512x512x4 voxels of 0.5x0.5x1 mm, MR" in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *(f"IM00000{number}.dcm" for number in range(1, 5)),
        "sr_keras.json",
    ]
    record = json.loads((tmp_path / "out" / "sr_keras.json").read_text())
    assert list(record["models"]) == ["fast_hw_x2"]
    assert (record["engine"], record["scale"]) == ("onnxruntime", [2, 2, 1])
    again = predict(SERIES, "-o", tmp_path / "out", "--scale", "2x2x1")
    assert (again.exit_code, "out exists; use --force to overwrite" in again.output) == (1, True)
    assert predict(SERIES, "-o", tmp_path / "out", "--scale", "2x2x1", "--force").exit_code == 0


def test_a_time_point_becomes_nifti(predict, tmp_path):
    refused = predict(TIME_SERIES, "-o", tmp_path / "out.nii.gz", "--scale", "2x2x1")
    assert (refused.exit_code, "--frame-group 1 to 2" in refused.output) == (1, True)
    result = predict(TIME_SERIES, "-o", tmp_path / "out.nii.gz", "--scale", "2x2x1", "--frame-group", 2)
    assert result.exit_code == 0, result.output
    assert nibabel.load(tmp_path / "out.nii.gz").shape == (128, 128, 4)


def test_a_spacing_may_be_asked_for(predict, tmp_path):
    result = predict(ENHANCED, "-o", tmp_path / "out", "--spacing", "2x2x3.3125", "--frame-group", 1)
    assert result.exit_code == 0, result.output
    written = dcmread(tmp_path / "out" / "IM000001.dcm")
    measures = written.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.PixelSpacing == [2, 2]


def test_a_series_too_short_for_the_network_is_refused_and_nothing_is_left(predict, tmp_path):
    result = predict(SERIES, "-o", tmp_path / "out")
    assert (result.exit_code, "use --scale 2x2x1" in result.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_no_name_is_said(predict, tmp_path):
    """What the series says of its patient is in no output, no error and no file name."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))
    from synthetic import PATIENT, classic, save

    good, bad = classic("MR", np.uint16), classic("MR", np.uint16)
    del bad[2]
    texts = [predict(save(good, tmp_path / "a"), "-o", tmp_path / "out", "--scale", "2x2x1").output]
    texts += [predict(save(bad, tmp_path / "b"), "-o", tmp_path / "bad", "--scale", "2x2x1").output]
    texts += [path.name for path in tmp_path.rglob("*")] + [(tmp_path / "out" / "sr_keras.json").read_text()]
    assert "missing slice" in texts[1]
    assert not any(part in text for part in (*PATIENT.split("^"), "Q-4711", "19500101") for text in texts)


def test_a_type_that_clips_the_scan_is_refused_before_any_work(predict, small_scan, tmp_path):
    result = predict(small_scan, "-o", tmp_path / "out.nii.gz", "--dtype", "int8", "--dry-run")
    assert result.exit_code == 1
    assert "int8 cannot hold values of 141 to " in result.output
    assert list(tmp_path.iterdir()) == []


def labels_of(path):
    """Write a label map of three regions."""
    voxels = np.zeros((24, 24, 12), np.uint8)
    voxels[4:12, 4:20, 3:9], voxels[12:20, 4:20, 3:9] = 2, 5
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)
    return path


def test_a_label_map_is_refused_unless_it_is_said_to_be_a_scan(predict, tmp_path):
    labels = labels_of(tmp_path / "patient.nii.gz")
    result = predict(labels, "-o", tmp_path / "out.nii.gz", "--dry-run")
    assert result.exit_code == 1
    assert (
        "patient.nii.gz looks like a label map (3 values, in regions); use predict --labels to resample"
        in result.output
    )
    assert result.output.count("\n") == 1
    assert predict(labels, "-o", tmp_path / "out.nii.gz", "--dry-run", "--modality", "mr").exit_code == 0


def test_a_label_map_in_a_folder_fails_and_the_scans_are_done(predict, small_scan, tmp_path):
    (tmp_path / "scans").mkdir()
    shutil.copy(small_scan, tmp_path / "scans" / "brain.nii.gz")
    labels_of(tmp_path / "scans" / "brain_dseg.nii.gz")
    result = predict(tmp_path / "scans", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "brain.nii.gz: done" in result.output
    assert 'brain_dseg.nii.gz: failed: looks like a label map ("dseg" in its name' in result.output


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_nifti_file_among_dicom_files_is_said(command, small_scan, tmp_path):
    shutil.copytree(SERIES, tmp_path / "scan")
    shutil.copy(small_scan, tmp_path / "scan" / "stray.nii.gz")
    options = ["-o", str(tmp_path / "out")] if command == "predict" else []
    result = CliRunner().invoke(main, [command, str(tmp_path / "scan"), *options])
    assert result.exit_code == 1
    assert "scan holds DICOM files and image files (stray.nii.gz); move one kind away" in result.output
    assert not (tmp_path / "out").exists()


def test_series_in_a_folder_of_nifti_files_are_named_as_ignored(predict, small_scan, tmp_path):
    (tmp_path / "scans").mkdir()
    shutil.copy(small_scan, tmp_path / "scans")
    shutil.copytree(SERIES, tmp_path / "scans" / "sourcedata")
    result = predict(tmp_path / "scans", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "sourcedata: ignored: it holds DICOM files" in result.output
    assert "1 done, 0 skipped, 0 failed" in result.output


def test_a_zip_that_cannot_be_read_says_why_on_the_command_line(predict, tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for path in SERIES.iterdir():
            archive.write(path, path.name)
    data = (tmp_path / "scan.zip").read_bytes()
    (tmp_path / "scan.zip").write_bytes(data[: len(data) // 2])
    result = predict(tmp_path / "scan.zip", "-o", tmp_path / "out")
    assert (result.exit_code, "Received: a damaged or incomplete file" in result.output) == (1, True)
