"""What a job makes on every grid, of time series and with segmentations, held against nibabel and SimpleITK."""

import json
import shutil
from dataclasses import replace
from itertools import product

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel.affines import apply_affine

from sr_keras.engines import load_engine
from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.labels import LabelPair
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.io.scans import Choice
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.resampling import resample_axis

UPSCALER = Upscaler([load_engine(name, "onnx") for name in choose_stages(shipped_stages())])
JOB = PredictionJob(UPSCALER)
TURN = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])


def corners(image):
    affine, shape = image.affine, image.shape[:3]
    return apply_affine(affine, [*product(*((-0.5, length - 0.5) for length in shape))])


@pytest.fixture(scope="module")
def brain(small_scan, tmp_path_factory):
    """26x24x20 voxels of brain on an oblique grid."""
    image = nibabel.load(small_scan).slicer[10:36, 8:32, 2:22]
    affine = image.affine.copy()
    affine[:3, :3] = TURN @ affine[:3, :3]
    path = tmp_path_factory.mktemp("brain") / "brain.nii.gz"
    header = image.header.copy()
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), None, header), path)
    return path


@pytest.mark.parametrize(
    ("factors", "shape", "note"),
    [
        ((3, 3, 3), (78, 72, 60), ""),
        ((2.5, 1, 3), (65, 24, 60), ""),
        ((1, 1, 5), (26, 24, 100), ""),
        ((2.5, 2.52, 1), (65, 60, 20), "scale 2.5 instead of 2.52 along j to keep the field of view"),
    ],
)
def test_any_factor_keeps_the_box_of_all_corners(brain, tmp_path, factors, shape, note):
    summary = replace(JOB, factors=factors).run(brain, tmp_path / "out.nii.gz")
    before, after = nibabel.load(brain), nibabel.load(tmp_path / "out.nii.gz")
    assert after.shape == shape
    np.testing.assert_allclose(corners(after), corners(before), atol=1e-3)
    assert note in summary
    assert ("field of view" in summary) == bool(note)


def test_a_factor_of_three_is_that_of_four_resampled(brain):
    volume = read_volume(brain)
    larger = UPSCALER.upscale(volume, (4, 4, 4)).voxels
    for axis, length in enumerate(volume.shape):
        larger = resample_axis(larger, axis, 3 * length, 4 / 3)
    np.testing.assert_allclose(UPSCALER.upscale(volume, (3, 3, 3)).voxels, larger, atol=0.01)


@pytest.mark.parametrize("axis", [0, 2])
def test_a_resampled_result_is_streamed_and_is_that_of_the_whole(brain, tmp_path, axis):
    job = replace(JOB, factors=(3, 2, 1.5), slice_axis=axis, dtype="float32")
    assert job.prepare(brain, tmp_path / "out.nii").streams
    job.run(brain, tmp_path / "out.nii")
    volume = read_volume(brain)
    whole = UPSCALER.upscale(volume, (3, 2, 1.5), slice_axis=axis)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii").get_fdata(), whole.voxels)


def test_isotropic_makes_all_spacings_the_finest(brain, tmp_path):
    image = nibabel.load(brain)
    thick = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine @ np.diag([1, 1, 2.5, 1]), image.header)
    nibabel.save(thick, tmp_path / "thick.nii")
    spacing = min(thick.header.get_zooms())
    summary = replace(JOB, isotropic=True).run(tmp_path / "thick.nii", tmp_path / "out.nii")
    after = nibabel.load(tmp_path / "out.nii")
    assert after.header.get_zooms() == pytest.approx((spacing,) * 3, rel=1e-5)
    assert np.abs(corners(after) - corners(thick)).max() <= 0.51 * spacing
    assert "field of view" in summary


def test_a_result_lies_on_the_grid_of_another_image(brain, tmp_path):
    grid = np.diag([0.8, 0.8, 0.9, 1.0])
    centre = apply_affine(nibabel.load(brain).affine, (12, 12, 10))
    grid[:3, 3] = centre - grid[:3, :3] @ (20, 12, 10)
    other = nibabel.Nifti1Image(np.zeros((48, 30, 22), np.uint8), grid)
    nibabel.save(other, tmp_path / "other.nii")
    summary = replace(JOB, like=tmp_path / "other.nii").run(brain, tmp_path / "out.nii.gz")
    after = nibabel.load(tmp_path / "out.nii.gz")
    assert after.shape == other.shape
    np.testing.assert_allclose(after.affine, grid, atol=1e-5)
    assert "on the grid of other.nii, " in summary
    assert "% of it beyond the scan and filled with 0" in summary
    # ITK's own resampling of the scan is a blurred version of the same picture at the same place.
    moved = SimpleITK.Resample(
        SimpleITK.ReadImage(str(brain)),
        SimpleITK.ReadImage(str(tmp_path / "other.nii")),
        SimpleITK.Transform(),
        SimpleITK.sitkLinear,
        0.0,
        SimpleITK.sitkFloat32,
    )
    theirs, ours = SimpleITK.GetArrayFromImage(moved).T, after.get_fdata()
    inside = theirs > 0
    assert 0.3 < inside.mean() < 0.9
    assert np.corrcoef(theirs[inside], ours[inside])[0, 1] > 0.97
    assert (ours[~inside] == 0).mean() > 0.9


def test_a_grid_apart_from_the_scan_is_refused(brain, tmp_path):
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((9, 9, 9), np.uint8), np.diag([1, 1, 1, 1.0]) + 5000 * np.eye(4, k=3)),
        tmp_path / "far.nii",
    )
    with pytest.raises(
        VolumeError, match=r"brain.nii.gz and far.nii do not overlap; give an image in the same scanner"
    ):
        replace(JOB, like=tmp_path / "far.nii").run(brain, tmp_path / "out.nii")
    with pytest.raises(ConfigurationError, match=r"from 1 to 8, not 9x1x1; for a coarser result give --spacing"):
        replace(JOB, factors=(9, 1, 1)).run(brain, tmp_path / "out.nii")


@pytest.mark.parametrize("name", ["out.mgz", "out.img", "out.nrrd", "out.mhd"])
def test_every_format_gets_a_sidecar_and_is_never_replaced(brain, tmp_path, name):
    job = replace(JOB, factors=(1, 1, 2))
    job.run(brain, tmp_path / name)
    job.run(brain, tmp_path / "same.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / name).voxels, read_volume(tmp_path / "same.nii").voxels)
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["GeneratedBy"][0]["Name"] == "sr_keras"
    written = [path for path in tmp_path.iterdir() if path.stem == "out" and path.suffix != ".json"]
    assert record["sr_keras"]["output_bytes"] == sum(path.stat().st_size for path in written)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="exists; use --force to overwrite"):
        job.run(brain, tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    replace(job, force=True).run(brain, tmp_path / name)


@pytest.fixture
def series(brain, tmp_path):
    """Three volumes 2.5 s apart, with gradients and a sidecar."""
    image = nibabel.load(brain)
    voxels = np.stack([np.asarray(image.dataobj) // factor for factor in (1, 2, 3)], axis=-1)
    header = image.header.copy()
    header.set_data_shape(voxels.shape)
    header.set_xyzt_units("mm", "sec")
    header["pixdim"][4] = 2.5
    nibabel.save(nibabel.Nifti1Image(voxels, None, header), tmp_path / "series.nii.gz")
    (tmp_path / "series.json").write_text(
        json.dumps({"RepetitionTime": 2.5, "SliceTiming": [0, 1], "GeneratedBy": [{"Name": "dcm2niix"}]})
    )
    (tmp_path / "series.bval").write_text("0 1000 1000")
    (tmp_path / "series.bvec").write_text("0 1 0\n0 0 1\n0 0 0")
    return tmp_path / "series.nii.gz"


@pytest.mark.parametrize("axis", [0, 2])
def test_a_time_series_keeps_its_axis_and_each_volume_is_done_as_alone(series, tmp_path, axis):
    job = replace(JOB, factors=(2, 2, 2), slice_axis=axis)
    told = []
    summary = job.run(series, tmp_path / "out.nii.gz", lambda *news: told.append(news))
    after = nibabel.load(tmp_path / "out.nii.gz")
    assert after.shape == (52, 48, 40, 3)
    assert summary.startswith("52x48x40x3 voxels of ")
    assert (after.header["pixdim"][4], after.header.get_xyzt_units()) == (2.5, ("mm", "sec"))
    np.testing.assert_allclose(corners(after), corners(nibabel.load(series)), atol=1e-3)
    assert SimpleITK.ReadImage(str(tmp_path / "out.nii.gz")).GetSpacing()[3] == 2.5
    assert told[-1][0].startswith("volume 3 of 3, ")
    for number in (1, 3):
        alone = replace(job, choice=Choice(volume=number))
        alone.run(series, tmp_path / f"{number}.nii")
        one = nibabel.load(tmp_path / f"{number}.nii")
        assert one.shape == (52, 48, 40)
        # What the networks are told about the acquisition is estimated of the first volume.
        ours, alone = np.asarray(after.dataobj)[..., number - 1].astype(int), np.asarray(one.dataobj)
        assert np.abs(ours - alone).max() <= (0 if number == 1 else 0.02 * alone.max())
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["RepetitionTime"], "SliceTiming" in record) == (2.5, False)
    assert [each["Name"] for each in record["GeneratedBy"]] == ["dcm2niix", "sr_keras"]
    assert (tmp_path / "out.bvec").read_text() == (tmp_path / "series.bvec").read_text()
    assert not (tmp_path / "1.bval").exists()


def test_a_time_series_is_no_single_volume(series, tmp_path):
    with pytest.raises(
        OutputError, match=r"series.nii.gz holds 3 volumes, out.mgz one; choose --volume, or write a .nii"
    ):
        JOB.run(series, tmp_path / "out.mgz")
    assert not (tmp_path / "out.mgz").exists()


@pytest.fixture
def labels(brain, tmp_path):
    """A segmentation of the brain, with the intent and a description in its header."""
    image = nibabel.load(brain)
    voxels = np.digitize(np.asarray(image.dataobj), [50, 200, 500]).astype(np.uint8) * 60
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_intent("label", name="tissues")
    header["aux_file"] = b"colours.lut"
    nibabel.save(nibabel.Nifti1Image(voxels, None, header), tmp_path / "labels.nii.gz")
    return tmp_path / "labels.nii.gz"


@pytest.mark.parametrize("interpolation", ["majority", "nearest"])
@pytest.mark.parametrize("name", ["seg.nii.gz", "seg.mgz", "seg.nrrd"])
def test_labels_lie_on_the_very_grid_of_the_result(brain, labels, tmp_path, interpolation, name):
    pair = LabelPair(labels, tmp_path / "more" / name)
    pair.output.parent.mkdir()
    job = replace(JOB, factors=(2, 2, 3), labels=(pair,), label_interpolation=interpolation)
    job.run(brain, tmp_path / "out.nii.gz")
    result, before, after = nibabel.load(tmp_path / "out.nii.gz"), read_volume(labels), read_volume(pair.output)
    assert after.shape == result.shape
    np.testing.assert_allclose(after.affine, result.affine, atol=1e-4)
    assert after.voxels.dtype == np.uint8
    assert set(np.unique(after.voxels)) <= set(np.unique(before.voxels))
    image = SimpleITK.ReadImage(str(labels))
    kind = SimpleITK.sitkLabelLinear if interpolation == "majority" else SimpleITK.sitkNearestNeighbor
    grid = SimpleITK.ReadImage(str(tmp_path / "out.nii.gz"))
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.Resample(image, grid, SimpleITK.Transform(), kind, 0)).T
    assert (theirs != after.voxels)[3:-3, 3:-3, 4:-4].mean() < 0.01
    if name.endswith(".nii.gz"):
        header = nibabel.load(pair.output).header
        assert (header.get_intent()[::2], header["aux_file"].item()) == (("label", "tissues"), b"colours.lut")
    record = json.loads((pair.output.parent / "seg.json").read_text())
    assert record["Sources"] == ["labels.nii.gz", "brain.nii.gz"]
    assert record["GeneratedBy"][0]["Description"] == f"{interpolation} interpolation onto the grid of out.nii.gz"


def test_labels_of_another_grid_are_refused_and_nothing_is_written(brain, labels, tmp_path):
    scan = read_volume(labels)
    moved = scan.affine.copy()
    moved[0, 3] += 1
    write_volume(scan.with_voxels(scan.voxels, moved), tmp_path / "moved.nii", like=scan)
    write_volume(scan.with_voxels(scan.voxels[1:]), tmp_path / "cut.nii", like=scan)
    there = sorted(tmp_path.iterdir())
    for name, words in (("moved.nii", "another place or orientation"), ("cut.nii", "25x24x20 voxels")):
        job = replace(JOB, labels=(LabelPair(tmp_path / name, tmp_path / "seg.nii"),))
        with pytest.raises(
            VolumeError, match=f"{name} is not on the grid of .*brain.nii.gz: it has {words}, the scan 26x"
        ):
            job.run(brain, tmp_path / "out.nii")
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize("taken", ["seg.nii", "out.nii", "out.json"])
def test_labels_and_result_are_published_together_or_not_at_all(brain, labels, tmp_path, taken):
    def appear(*_):
        (tmp_path / taken).write_text("theirs")

    job = replace(JOB, factors=(1, 1, 2), labels=(LabelPair(labels, tmp_path / "seg.nii"),))
    if taken == "out.json":
        appear()
    with pytest.raises(OutputError, match="exists; use --force"):
        job.run(brain, tmp_path / "out.nii", progress=appear)
    assert (tmp_path / taken).read_text() == "theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["labels.nii.gz", taken])


def test_two_outputs_of_one_name_are_refused(brain, labels, tmp_path):
    for other in ("out.nii", "out.mgz"):
        job = replace(JOB, labels=(LabelPair(labels, tmp_path / other),))
        with pytest.raises(OutputError, match=f"{other} would be written twice; give each output a name of its own"):
            job.run(brain, tmp_path / "out.nii")


def test_analyze_comes_with_a_warning(brain, tmp_path):
    voxels = np.asarray(nibabel.load(brain).dataobj)
    nibabel.save(nibabel.AnalyzeImage(voxels, None), tmp_path / "old.hdr")
    told = []
    replace(JOB, factors=(1, 1, 2)).run(tmp_path / "old.hdr", tmp_path / "out.hdr", warn=told.append)
    assert "Analyze 7.5 file does not say which side is left" in told[0]
    assert isinstance(nibabel.load(tmp_path / "out.hdr"), nibabel.Nifti1Pair)


@pytest.mark.usefixtures("resident_memory")
def test_the_plan_prices_a_resampling(brain, tmp_path):
    plain = replace(JOB, factors=(4, 4, 4)).prepare(brain, tmp_path / "out.nii").plan
    resampled = replace(JOB, factors=(3, 3, 3)).prepare(brain, tmp_path / "out.nii").plan
    assert plain.resampling_seconds == 0 < resampled.resampling_seconds
    assert resampled.peak_bytes > plain.peak_bytes
    shutil.copy(brain, tmp_path / "other.nii.gz")
    turned = nibabel.Nifti1Image(np.zeros((20, 20, 20), np.uint8), nibabel.load(brain).affine @ np.diag([1, 1, 1, 1.0]))
    nibabel.save(turned, tmp_path / "turned.nii")
    assert replace(JOB, like=tmp_path / "turned.nii").prepare(brain, tmp_path / "out.nii").grid.factors == (1, 1, 1)
