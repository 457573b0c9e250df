"""Where volumes lie that are written in the coordinates of another one, as nibabel and SimpleITK see it."""

import nibabel
import numpy as np
import pytest
import SimpleITK

from sr_keras.errors import OutputError
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.io.nifti_header import header_on_grid
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.volume import Volume

RIGID = np.array([[0, 0, 3.0, -80], [-1.5, 0, 0, 100], [0, -1.5, 0, 120], [0, 0, 0, 1]])
SHEARED = np.array([[1.5, -0.4, 0, -60], [0.4, 1.4, 0.2, 30], [0, -0.3, 3, 10], [0, 0, 0, 1.0]])
# The program's own affine of a file: RAS, mm.
PROGRAMS = ("nibabel", "SimpleITK")


def affine_by(program, path):
    """Return the affine (RAS, mm) that a program places a file by."""
    if program == "nibabel":
        return nibabel.load(path).affine
    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ affine


def scan_with(path, voxels, codes, sform=RIGID):
    """Write a file whose qform and sform have these codes, and read it."""
    image = nibabel.Nifti1Image(voxels, None)
    image.header.set_zooms((1.5, 1.5, 3))
    if codes[0]:
        image.header.set_qform(RIGID, codes[0])
    if codes[1]:
        image.header.set_sform(sform, codes[1])
    nibabel.save(image, path)
    return read_volume(path)


def moved(volume, to_old, shape):
    """Return a volume on another grid: its indices times `to_old` are those of the old one."""
    return volume.with_voxels(np.zeros(shape, np.float32), volume.affine @ to_old)


def rotated_by(degrees):
    """Return a turn about the third axis of a grid with equal spacings along the first two."""
    matrix, angle = np.eye(4), np.radians(degrees)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


CROP = np.array([[1, 0, 0, 4], [0, 1, 0, 3], [0, 0, 1, 2], [0, 0, 0, 1.0]])
SHIFT = np.array([[1, 0, 0, 0.3], [0, 1, 0, -0.7], [0, 0, 1, 5], [0, 0, 0, 1.0]])
FLIP = np.array([[0, 1, 0, 0], [-1, 0, 0, 19], [0, 0, -1, 15], [0, 0, 0, 1.0]])
CHANGES = {"crop": CROP, "shift": SHIFT, "flip": FLIP, "turn": rotated_by(30), "crop and halve": CROP / [2, 2, 2, 1]}


@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 2), (2, 4), (1, 2), (0, 0)])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_volume_lies_where_its_affine_says(tmp_path, noise, codes, change, program):
    scan = scan_with(tmp_path / "in.nii", noise, codes)
    write_volume(moved(scan, CHANGES[change], (5, 6, 7)), tmp_path / "out.nii", like=scan)
    before, after = (affine_by(program, tmp_path / name) for name in ("in.nii", "out.nii"))
    np.testing.assert_allclose(after, before @ CHANGES[change], atol=1e-3)


@pytest.mark.parametrize("codes", [(1, 1), (0, 2), (0, 0)])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_finer_grid_covers_the_old_one(tmp_path, noise, codes, program):
    scan = scan_with(tmp_path / "in.nii", noise, codes)
    finer = scan.with_voxels(np.zeros((40, 36, 32)), rescaled_affine(scan.affine, [0.5] * 3))
    write_volume(finer, tmp_path / "out.nii", like=scan)
    before, after = (affine_by(program, tmp_path / name) for name in ("in.nii", "out.nii"))
    np.testing.assert_allclose(after, rescaled_affine(before, [0.5] * 3), atol=1e-4)


def test_a_grid_that_did_not_change_keeps_its_codes(tmp_path, noise):
    scan = scan_with(tmp_path / "in.nii", noise, (0, 0))
    write_volume(scan, tmp_path / "out.nii", like=scan)
    header = nibabel.load(tmp_path / "out.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 0)


def test_a_sheared_grid_is_told_by_the_sform_alone(tmp_path, noise):
    scan = scan_with(tmp_path / "in.nii", noise, (1, 0))
    sheared = scan.with_voxels(noise, SHEARED)
    write_volume(sheared, tmp_path / "out.nii", like=scan)
    header = nibabel.load(tmp_path / "out.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 1)
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii").affine, SHEARED, atol=1e-5)


def test_voxel_sizes_follow_a_turned_grid_in_the_unit_of_the_file(tmp_path, noise):
    image = nibabel.Nifti1Image(noise, np.diag([700, 700, 900, 1.0]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "in.nii")
    scan = read_volume(tmp_path / "in.nii")
    across = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    write_volume(moved(scan, across, (16, 18, 20)), tmp_path / "out.nii", like=scan)
    assert nibabel.load(tmp_path / "out.nii").header.get_zooms() == pytest.approx((900, 700, 700))
    assert read_volume(tmp_path / "out.nii").spacing == pytest.approx((0.9, 0.7, 0.7))


def test_an_axis_that_nifti_1_cannot_count_is_refused():
    scan = Volume(np.zeros((4, 4, 4)), np.eye(4))
    with pytest.raises(OutputError, match="40000x4x4 voxels do not fit NIfTI-1, .*; use a smaller scale"):
        header_on_grid((40000, 4, 4), rescaled_affine(np.eye(4), [1e-4, 1, 1]), scan, None)
