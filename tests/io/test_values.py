"""Values that would be clipped, or that nothing can be computed of."""

import nibabel
import numpy as np
import pytest

from sr_keras.errors import OutputError, VolumeError
from sr_keras.io.nifti import open_stream, read_volume, write_volume
from sr_keras.io.values import check_dtype_range, finite_voxels
from sr_keras.volumes.volume import Volume


def scan_of(*values, dtype=np.float32):
    """Return a volume of these values, one a slice."""
    return Volume(np.broadcast_to(np.array(values, dtype), (2, 2, len(values))), np.eye(4), "CT", "ct.nii")


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ((-1024, 1614), "uint8", "ct.nii: uint8 cannot hold values of -1024 to 1614; use int16"),
        ((0, 40000), "int16", "int16 cannot hold values of 0 to 40000; use uint16"),
        ((-1, 40000), "uint16", "uint16 cannot hold values of -1 to 40000; use int32"),
        ((-1, 1e12), "int32", r"int32 cannot hold values of -1 to 1e\+12; use float32"),
    ],
)
def test_a_type_that_would_clip_is_refused_before_anything_is_written(tmp_path, values, dtype, message):
    scan = scan_of(*values)
    with pytest.raises(OutputError, match=message):
        check_dtype_range(scan, dtype)
    with (
        pytest.raises(OutputError, match=message),
        open_stream(tmp_path / "out.nii", scan.shape, scan.affine, like=scan, dtype=dtype),
    ):
        pass
    with pytest.raises(OutputError, match=message):
        write_volume(scan, tmp_path / "out.nii", like=scan, dtype=dtype)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "dtype"), [((0, 255), "uint8"), ((-1024, 3071), "int16"), ((0, 1e30), "float32"), ((-1e9, 0), None)]
)
def test_types_that_hold_the_scan_are_let_through(values, dtype):
    check_dtype_range(scan_of(*values), dtype)


def test_what_a_result_overshoots_by_is_clipped_and_another_scan_s_values_are_not(tmp_path):
    scan = scan_of(0, 255, dtype=np.uint8)
    write_volume(scan_of(-9, 270), tmp_path / "out.nii", like=scan)
    assert np.unique(nibabel.load(tmp_path / "out.nii").get_fdata()).tolist() == [0, 255]
    with pytest.raises(OutputError, match="uint8 cannot hold values of -1024 to 1614"):
        write_volume(scan_of(-1024, 1614), tmp_path / "other.nii", like=scan)


def test_the_file_s_scaling_counts(tmp_path):
    image = nibabel.Nifti1Image(np.arange(256, dtype=np.uint8).reshape(8, 8, 4), np.eye(4))
    image.header.set_slope_inter(20, -1024)
    nibabel.save(image, tmp_path / "in.nii")
    scan = read_volume(tmp_path / "in.nii")
    write_volume(scan, tmp_path / "out.nii", like=scan)
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii").voxels, scan.voxels)


def test_one_value_may_be_a_little_off(tmp_path):
    scan = scan_of(0, 0, dtype=np.uint8)
    write_volume(scan_of(-0.25, 0.25), tmp_path / "out.nii", like=scan)
    assert nibabel.load(tmp_path / "out.nii").get_fdata().max() == 0


def test_values_that_fit_no_float_are_refused_though_they_could_be_filled():
    voxels = np.array([1.0, np.inf, -1e300])
    with pytest.raises(VolumeError, match=r"scan: values reach 1e\+300, too large for 32-bit floats"):
        finite_voxels(voxels, "scan", 0.0)
    assert finite_voxels(voxels[:2], "scan", 0.0).tolist() == [1, 0]
