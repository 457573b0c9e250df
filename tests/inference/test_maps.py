"""Maps beside a result: on its grid, the same however it is made, published with it or not at all."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from helpers import SAMPLE, write_scan

from sr_keras.cli import main
from sr_keras.engines import load_engine
from sr_keras.errors import ConfigurationError, ModelFileError, OutputError
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.maps import Maps
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.uncertainty import estimator as estimators
from sr_keras.uncertainty.estimator import estimator_of
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume

ENGINES = [load_engine(name, "onnx") for name in ("fast_hw_x2", "fast_d_x2")]
UPSCALER = Upscaler(ENGINES, uncertainty=True)


@pytest.fixture(scope="module")
def scan(sample):
    return Volume(sample.voxels[50:82, 14:40, 40:60], np.diag([1.0, 1, 2, 1]), "MR")


def estimated(upscaler, scan, factors, **options):
    return upscaler.prepare(scan, factors, slice_axis=2, **options).collect_estimated()


def test_in_plane_it_is_what_the_estimator_says_in_the_units_of_the_scan(scan):
    job = UPSCALER.prepare(scan, (2, 2, 1), slice_axis=2)
    result, widths = job.collect_estimated()
    np.testing.assert_array_equal(result.voxels, replace(UPSCALER, uncertainty=False).upscale(scan, (2, 2, 1)).voxels)
    normalization = normalization_of(scan)
    (engine,) = job.engines.values()
    found = estimator_of(engine).run(normalization.apply(scan.voxels).transpose(2, 0, 1))
    expected = found.transpose(1, 2, 0).repeat(2, axis=0).repeat(2, axis=1) * normalization.data_range
    assert (widths.voxels >= expected).all()
    np.testing.assert_allclose(widths.voxels, expected, rtol=1 / 31)


def test_half_widths_of_both_stages_add_up_in_squares(scan):
    whole, through = (estimated(UPSCALER, scan, factors)[1].voxels for factors in ((2, 2, 2), (1, 1, 2)))
    least = through.repeat(2, axis=0).repeat(2, axis=1)
    assert (whole >= least * (1 - 1 / 32)).all()
    deep = replace(UPSCALER, uncertainty=False).upscale(scan, (1, 1, 2), slice_axis=2)
    job = UPSCALER.prepare(scan, (2, 2, 2), slice_axis=2)
    normalization, engine = normalization_of(scan), next(e for s, e in job.engines.items() if s.stage == "hw")
    own = estimator_of(engine).run(normalization.apply(deep.voxels).transpose(2, 0, 1)).transpose(1, 2, 0)
    own = own.repeat(2, axis=0).repeat(2, axis=1) * normalization.data_range
    # Each is rounded up to a part in 32.
    np.testing.assert_allclose(whole, np.hypot(own, least), rtol=1 / 30)


@pytest.mark.parametrize("factors", [(2, 2, 1), (2, 2, 2), (2, 1, 1), (1, 2, 4)])
def test_written_slab_by_slab_it_is_that_of_the_whole(scan, tmp_path, factors):
    voxels, widths = estimated(replace(UPSCALER, engines=[*ENGINES, load_engine("fast_d_x4")]), scan, factors)
    source = tmp_path / "scan.nii"
    nibabel.save(nibabel.Nifti1Image(scan.voxels.astype(np.float32), scan.affine), source)
    upscaler = replace(UPSCALER, engines=[*ENGINES, load_engine("fast_d_x4")])
    out, half, residual = (tmp_path / f"{name}.nii.gz" for name in ("out", "half", "residual"))
    PredictionJob(upscaler, factors, slice_axis=2, modality="MR", maps=Maps(half, residual)).run(source, out)
    stored = nibabel.load(half)
    np.testing.assert_array_equal(stored.affine, nibabel.load(out).affine)
    np.testing.assert_allclose(stored.get_fdata(), widths.voxels, rtol=1e-6)
    difference = nibabel.load(residual)
    np.testing.assert_array_equal(difference.affine, nibabel.load(source).affine)
    expected = scan.voxels - downsample_volume(voxels.voxels, factors)
    np.testing.assert_allclose(difference.get_fdata(), expected, atol=0.02)


def test_on_another_grid_it_lies_over_the_result(scan, tmp_path):
    spaced = estimated(UPSCALER, scan, (1, 1, 1), spacing=(0.7, 0.7, 2.0))
    assert spaced[0].shape == spaced[1].shape
    assert spaced[1].voxels.min() >= 0
    finer = np.diag([0.6, 0.6, 2.0, 1.0])
    finer[0, 3] = 20.0
    like = write_scan(tmp_path / "like.nii", np.zeros((40, 40, 20), np.int16), finer)
    source = write_scan(tmp_path / "scan.nii", scan.voxels, scan.affine)
    out, half = tmp_path / "out.nii", tmp_path / "half.nii"
    PredictionJob(UPSCALER, like=like, modality="MR", maps=Maps(half)).run(source, out)
    values = nibabel.load(half).get_fdata()
    # The scan ends at 31.5 mm along i, the grid at 43.7 mm; beyond the scan nothing is known.
    assert values[20:].max() == 0
    assert values[:19].mean() > 0


def test_without_a_network_there_is_nothing_to_estimate(scan):
    with pytest.raises(ConfigurationError, match="^No network runs at this scale, so there is no uncertainty"):
        UPSCALER.prepare(scan, (1, 1, 1))


def test_a_scan_of_one_value_is_certain():
    flat = Volume(np.full((12, 12, 8), 7, np.int16), np.eye(4), "MR")
    result, widths = estimated(UPSCALER, flat, (2, 2, 2))
    assert (result.voxels == 7).all()
    assert (widths.voxels == 0).all()


def test_sidecars_say_how_far_to_trust_them(small_scan, tmp_path):
    half, residual = tmp_path / "half.nii.gz", tmp_path / "residual.nii.gz"
    PredictionJob(UPSCALER, maps=Maps(half, residual)).run(small_scan, tmp_path / "out.nii.gz")
    record = json.loads((tmp_path / "half.json").read_text())
    assert record["Level"] == 0.9
    assert set(record["CalibratedOn"]) == {"8 scans"}
    shares = record["CoverageOnOtherScans"]["fast_hw_x2"]
    assert 0.5 < shares["Least"] <= shares["Mean"] <= 1
    assert record["Estimators"]["fast_d_x2"] == estimators.file_sha256(estimators.FOLDER / "fast_d_x2.onnx")
    said = json.loads((tmp_path / "residual.json").read_text())
    values = nibabel.load(residual).get_fdata()
    assert said["Largest"] == pytest.approx(np.abs(values).max())
    assert said["RootMeanSquare"] == pytest.approx(np.sqrt(np.mean(values**2)))
    assert said["BeyondNeighbours"]["Share"] == pytest.approx(
        said["BeyondNeighbours"]["Voxels"] / nibabel.load(half).get_fdata().size
    )


def test_an_output_that_is_made_as_a_whole_has_maps_too(small_scan, tmp_path):
    half, residual = tmp_path / "half.nii.gz", tmp_path / "residual.nii.gz"
    PredictionJob(UPSCALER, (2, 2, 1), maps=Maps(half, residual)).run(small_scan, tmp_path / "out.nrrd")
    streamed = tmp_path / "half2.nii.gz"
    PredictionJob(UPSCALER, (2, 2, 1), maps=Maps(streamed)).run(small_scan, tmp_path / "streamed.nii.gz")
    np.testing.assert_array_equal(nibabel.load(half).get_fdata(), nibabel.load(streamed).get_fdata())
    assert nibabel.load(residual).shape == nibabel.load(small_scan).shape


def test_what_was_not_calibrated_is_refused(scan):
    best = Upscaler([load_engine("best_hw_x2")], uncertainty=True)
    with pytest.raises(
        ConfigurationError, match="^Nothing estimates the uncertainty of best_hw_x2; use --quality fast"
    ):
        best.prepare(scan, (2, 2, 1))
    with pytest.raises(ConfigurationError, match="was not calibrated with data consistency; leave one of the two out"):
        Upscaler(ENGINES, data_consistency=True, uncertainty=True)


def test_an_estimator_of_other_weights_is_refused(scan, tmp_path, monkeypatch):
    content = (estimators.FOLDER / "fast_hw_x2.onnx").read_bytes()
    sha256 = ENGINES[0].card.weights_sha256.encode()
    assert sha256 in content
    (tmp_path / "fast_hw_x2.onnx").write_bytes(content.replace(sha256, sha256[::-1]))
    monkeypatch.setattr(estimators, "FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match="^fast_hw_x2.onnx was not learned for the weights of fast_hw_x2; install"):
        UPSCALER.prepare(scan, (2, 2, 1))


def test_files_are_checked_before_anything_is_done(small_scan, tmp_path):
    out, half = tmp_path / "out.nii.gz", tmp_path / "half.nii.gz"
    cases = {
        "is no name of a NIfTI file; name the map .nii.gz": Maps(tmp_path / "half.png"),
        "would be written twice": Maps(tmp_path / "a.nii", tmp_path / "a.nii"),
        "half.nii.gz exists; use --force": Maps(half),
    }
    half.write_bytes(b"somebody's")
    for message, maps in cases.items():
        with pytest.raises(OutputError, match=message):
            PredictionJob(UPSCALER, maps=maps).run(small_scan, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.nii.gz"]


def test_a_time_series_is_refused(tmp_path):
    series = write_scan(tmp_path / "series.nii", np.random.default_rng(0).random((16, 16, 8, 2)).astype(np.float32))
    with pytest.raises(ConfigurationError, match="series.nii holds 2 volumes; choose one with --volume"):
        PredictionJob(UPSCALER, maps=Maps(tmp_path / "half.nii")).run(series, tmp_path / "out.nii")


def test_the_residual_is_of_no_use_with_data_consistency(small_scan, tmp_path):
    consistent = Upscaler(ENGINES, data_consistency=True)
    with pytest.raises(ConfigurationError, match="--residual shows what --data-consistency removes"):
        PredictionJob(consistent, maps=Maps(residual=tmp_path / "r.nii")).run(small_scan, tmp_path / "out.nii")


def test_the_residual_follows_the_thickness_in_the_sidecar(tmp_path):
    source, out, residual = (tmp_path / f"{name}.nii.gz" for name in ("scan", "out", "residual"))
    nibabel.save(nibabel.load(SAMPLE).slicer[60:92, 36:62, ::4], source)
    spacing = read_volume(source).spacing
    (tmp_path / "scan.json").write_text(json.dumps({"SliceThickness": 0.75 * spacing[2]}))
    command = ["predict", str(source), "-o", str(out), "--scale", "1x1x2", "--residual", str(residual)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    how = json.loads((tmp_path / "residual.json").read_text())["GeneratedBy"][-1]["Description"]
    assert how.startswith(
        "Downsampled along k by the slice profile slr, 0.75 of the spacing of slices wide (scan.json)"
    )


def test_maps_go_with_one_scan(small_scan, tmp_path):
    command = ["predict", str(small_scan), "-o", f"{tmp_path / 'out'}/", "--uncertainty", str(tmp_path / "half.nii")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "--uncertainty goes with one SCAN and a file as OUTPUT." in result.output
