import numpy as np
import pytest
from helpers import write_scan

from sr_keras.errors import ConfigurationError
from sr_keras.training.configuration import parse_configuration
from sr_keras.training.patches import check_patches, largest_patch, load_scan, sample_patches


@pytest.fixture
def scan(small_scan, tmp_path):
    return load_scan(small_scan, tmp_path)


@pytest.fixture
def ramp(tmp_path):
    """A scan that grows by 64, 8 and 1 units along i, j and k; its slices are stacked along i."""
    i, j, k = np.indices((8, 8, 8))
    voxels = (64 * i + 8 * j + k + 64).astype(np.float32)
    return load_scan(write_scan(tmp_path / "ramp.nii", voxels, np.diag([3.0, 1, 1, 1])), tmp_path)


def slopes(ramp, patch):
    """Return by how many units a patch grows from row to row and from column to column."""
    unit = float(ramp.voxels[7, 7, 7] - ramp.voxels[0, 0, 0]) / 511
    return tuple(round(float(np.diff(patch[..., 0], axis=axis).mean()) / unit) for axis in (0, 1))


def test_hw_patches_lie_in_slices_across_the_through_plane_axis(ramp):
    assert {slopes(ramp, patch) for patch in sample_patches([ramp], "hw", (4, 4), 50, (0, 0))} == {(8, 1)}


def test_d_patches_have_the_depth_along_their_width_in_both_orientations(ramp):
    patches = sample_patches([ramp], "d", (4, 6), 50, (0, 0))
    assert patches.shape == (50, 4, 6, 1)
    assert {slopes(ramp, patch) for patch in patches} == {(8, 64), (1, 64)}


def test_a_seed_decides_the_patches(scan):
    first = sample_patches([scan], "hw", (16, 16), 8, (1, 2))
    np.testing.assert_array_equal(first, sample_patches([scan], "hw", (16, 16), 8, (1, 2)))
    assert not np.array_equal(first, sample_patches([scan], "hw", (16, 16), 8, (1, 3)))
    assert not np.array_equal(first, sample_patches([scan], "hw", (16, 16), 8, (2, 2)))


def test_patches_are_drawn_where_the_tissue_is(tmp_path):
    voxels = np.zeros((64, 64, 6), np.float32)
    voxels[20:40, 20:40, 3] = np.random.default_rng(0).uniform(50, 100, (20, 20))
    scan = load_scan(write_scan(tmp_path / "island.nii", voxels), tmp_path)
    assert scan.slices.tolist() == [3]
    patches = sample_patches([scan], "hw", (16, 16), 64, (0, 0))
    assert (patches.max(axis=(1, 2, 3)) > 0).mean() > 0.95


def test_every_scan_is_drawn_from(tmp_path):
    scans = [
        load_scan(write_scan(tmp_path / f"{value}.nii", np.full((12, 12, 4), value, np.float32)), tmp_path)
        for value in (1, 2)
    ]
    assert [scan.source.rsplit("/", 1)[1] for scan in scans] == ["1.nii", "2.nii"]
    assert sample_patches(scans, "hw", (8, 8), 10, (0, 0)).shape == (10, 8, 8, 1)


def test_scans_are_normalised_once_and_mapped_into_memory(small_scan, tmp_path, sample):
    scan = load_scan(small_scan, tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = load_scan(small_scan, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    assert isinstance(again.voxels, np.memmap)
    assert (scan.modality, scan.voxels.shape) == ("MR", (24, 48, 40))
    crop = sample.voxels[60:108, 36:76, 40:64]
    expected = np.moveaxis(crop / np.percentile(crop, 99.9), 2, 0)
    np.testing.assert_allclose(scan.voxels, expected, atol=1e-3)


def test_largest_patch(scan):
    assert largest_patch(scan, "hw") == (48, 40)
    assert largest_patch(scan, "d") == (40, 24)


def test_an_empty_scan_is_refused(tmp_path):
    path = write_scan(tmp_path / "empty.nii", np.zeros((8, 8, 8), np.float32))
    with pytest.raises(ConfigurationError, match=r"empty.nii shows no tissue; leave it out"):
        load_scan(path, tmp_path)


def test_either_in_plane_axis_of_a_scan_may_have_to_hold_a_patch_s_depth(tmp_path):
    scan = load_scan(write_scan(tmp_path / "narrow.nii", np.full((30, 64, 8), 1, np.float32)), tmp_path)
    tree = {
        "network": {"family": "fast", "stage": "d", "scale": 2},
        "patches": {"height": 24, "width": 48, "batch": 4},
        "training": {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-3, "final_learning_rate": 1e-3},
    }
    with pytest.raises(ConfigurationError, match="holds patches of at most 30x30 voxels, not of 24x48"):
        check_patches(scan, parse_configuration(tree), in_plane=True)
