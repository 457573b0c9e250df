import gzip
import resource
import signal
import struct
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
from helpers import write_scan
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.io.nifti import is_nifti, read_volume, write_volume
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.quantization import stored_values
from sr_keras.volumes.volume import Volume

OBLIQUE = np.array([[1.5, -0.4, 0, -60], [0.4, 1.4, 0.2, 30], [0, -0.3, 3, 10], [0, 0, 0, 1.0]])


def doubled(volume: Volume) -> Volume:
    """The same voxels, each split in eight."""
    voxels = volume.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2).astype(np.float32)
    return volume.with_voxels(voxels, rescaled_affine(volume.affine, (0.5, 0.5, 0.5)))


@pytest.mark.parametrize("image_type", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64", ">i2"])
def test_every_type_is_read_as_nibabel_reads_it_and_written_as_it_was(tmp_path, noise, image_type, suffix, dtype):
    path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    header = image_type.header_class(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(np.dtype(dtype))
    nibabel.save(image_type((noise % 100).astype(dtype), OBLIQUE, header), path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.voxels, noise % 100)
    write_volume(doubled(volume), out, like=volume)
    written = nibabel.load(out)
    assert type(written) is image_type
    assert written.get_data_dtype() == np.dtype(dtype)
    np.testing.assert_array_equal(np.asarray(written.dataobj)[::2, ::2, ::2], noise % 100)


def test_scaling_is_undone_and_done_again(tmp_path, noise):
    path, out = tmp_path / "in.nii.gz", tmp_path / "out.nii.gz"
    image = nibabel.Nifti1Image(noise, OBLIQUE)
    image.header.set_slope_inter(0.25, -1024)
    nibabel.save(image, path)
    volume = read_volume(path)
    assert volume.modality == "CT"
    np.testing.assert_array_equal(volume.voxels, nibabel.load(path).get_fdata())
    write_volume(volume, out, like=volume)
    written = nibabel.load(out)
    assert (written.dataobj.slope, written.dataobj.inter) == (0.25, -1024)
    np.testing.assert_array_equal(written.dataobj.get_unscaled(), noise)


@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 2), (2, 4)])
def test_qform_and_sform_both_follow_and_keep_their_codes(tmp_path, noise, codes):
    path, out = tmp_path / "in.nii", tmp_path / "out.nii"
    image = nibabel.Nifti1Image(noise, None)
    image.header.set_zooms((1.5, 1.5, 3))
    rigid = np.array([[0, 0, 3.0, -80], [-1.5, 0, 0, 100], [0, -1.5, 0, 120], [0, 0, 0, 1]])
    if codes[0]:
        image.header.set_qform(rigid, codes[0])
    if codes[1]:
        image.header.set_sform(OBLIQUE, codes[1])
    nibabel.save(image, path)
    volume = read_volume(path)
    write_volume(doubled(volume), out, like=volume)
    before, after = nibabel.load(path).header, nibabel.load(out).header
    assert (int(after["qform_code"]), int(after["sform_code"])) == codes
    corners = np.array([[-0.5, -0.5, -0.5, 1], [19.5, 17.5, 15.5, 1]]).T
    doubled_corners = np.array([[-0.5, -0.5, -0.5, 1], [39.5, 35.5, 31.5, 1]]).T
    np.testing.assert_allclose(before.get_best_affine() @ corners, after.get_best_affine() @ doubled_corners, atol=1e-4)
    if codes[0]:
        np.testing.assert_allclose(before.get_qform() @ corners, after.get_qform() @ doubled_corners, atol=1e-4)
    np.testing.assert_allclose(after.get_zooms(), np.divide(before.get_zooms(), 2), rtol=1e-5)


def test_units_intent_and_window_are_kept_and_microns_are_understood(tmp_path, noise):
    path, out = tmp_path / "in.nii", tmp_path / "out.nii"
    image = nibabel.Nifti1Image(noise, np.diag([700, 700, 900, 1.0]))
    image.header.set_xyzt_units("micron", "sec")
    image.header.set_intent("estimate", name="T1")
    image.header["descrip"], image.header["cal_max"] = b"a scan", 800
    nibabel.save(image, path)
    volume = read_volume(path)
    assert volume.spacing == pytest.approx((0.7, 0.7, 0.9))
    write_volume(doubled(volume), out, like=volume)
    header = nibabel.load(out).header
    assert header.get_xyzt_units() == ("micron", "sec")
    assert header.get_zooms() == pytest.approx((350, 350, 450))
    assert header.get_intent()[::2] == ("estimate", "T1")
    assert (header["descrip"].item(), header["cal_max"].item()) == (b"a scan", 800)


def test_a_fourth_axis_of_one_entry_is_no_obstacle(tmp_path, noise):
    volume = read_volume(write_scan(tmp_path / "in.nii", noise[..., None]))
    assert volume.shape == noise.shape
    write_volume(volume, tmp_path / "out.nii", like=volume)
    assert nibabel.load(tmp_path / "out.nii").shape == noise.shape


@settings(max_examples=50)
@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]),
    values=st.lists(st.floats(-1e20, 1e20), min_size=1, max_size=8),
)
def test_integers_are_rounded_and_clipped_to_the_type(dtype, values):
    stored = stored_values(np.array(values).reshape(1, 1, -1), np.dtype(dtype)).ravel()
    limits = np.iinfo(dtype)
    for value, result in zip(values, stored, strict=True):
        exact = min(max(round(value), limits.min), limits.max)
        # A double next to the end of a 64-bit range is 1024 away from it.
        assert abs(int(result) - exact) <= (2048 if abs(exact) > 2**53 else 0)


def test_another_type_holds_the_real_values(tmp_path, noise):
    scan = Volume(noise, OBLIQUE)
    write_volume(scan.with_voxels(noise + 0.25), tmp_path / "out.nii.gz", like=scan, dtype="float32")
    written = nibabel.load(tmp_path / "out.nii.gz")
    assert written.get_data_dtype() == np.float32
    np.testing.assert_array_equal(written.get_fdata(), noise + 0.25)


def corrupt(path, kind):
    """Return a damaged or unfit file of a kind."""
    ramp = np.arange(20 * 18 * 16, dtype=np.float32).reshape(20, 18, 16)
    whole = write_scan(path / "whole.nii.gz", np.random.default_rng(0).random((20, 18, 16)))
    out = path / "scan.nii.gz"
    if kind == "truncated gzip":
        out.write_bytes(whole.read_bytes()[:5000])
    elif kind == "truncated":
        out = path / "scan.nii"
        out.write_bytes(gzip.decompress(whole.read_bytes())[:5000])
    elif kind == "bit flips":
        content = bytearray(whole.read_bytes())
        content[3000:3100] = bytes(100)
        out.write_bytes(content)
    elif kind == "text":
        out.write_text("no scan")
    elif kind == "another format":
        nibabel.save(nibabel.MGHImage(ramp, np.eye(4)), path / "scan.mgz")
        out.write_bytes((path / "scan.mgz").read_bytes())
    elif kind == "empty":
        out.touch()
    elif kind == "missing":
        pass
    elif kind == "two axes":
        write_scan(out, ramp[0])
    elif kind == "four axes":
        write_scan(out, np.stack([ramp, ramp], axis=-1))
    elif kind == "colour":
        write_scan(out, np.zeros((20, 18, 16), [("R", "u1"), ("G", "u1"), ("B", "u1")]))
    elif kind == "complex":
        write_scan(out, ramp.astype(np.complex64))
    elif kind == "NaN":
        ramp[3, 4, 5:7] = np.nan, np.inf
        write_scan(out, ramp)
    elif kind == "no spacing":
        image = nibabel.Nifti1Image(ramp, None)
        image.header.set_sform(np.diag([1.0, 0, 1, 1]), 1)
        nibabel.save(image, out)
    elif kind == "singular affine":
        write_scan(out, ramp, np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    elif kind == "negative axis":
        content = bytearray(gzip.decompress(whole.read_bytes()))
        content[42:46] = struct.pack("<2h", -20, -18)
        out.write_bytes(gzip.compress(bytes(content)))
    elif kind == "beyond float32":
        write_scan(out, ramp.astype(np.float64) * 1e302)
    elif kind == "scaled beyond float32":
        image = nibabel.Nifti1Image(ramp.astype(np.int16), np.eye(4))
        image.header.set_slope_inter(1e36, 0)
        nibabel.save(image, out)
    elif kind == "huge":
        content = bytearray(gzip.decompress(whole.read_bytes()))
        content[42:48] = struct.pack("<3h", 30000, 30000, 30000)
        out.write_bytes(gzip.compress(bytes(content)))
    return out


BAD_FILES = {
    "truncated gzip": "truncated or corrupt",
    "truncated": "truncated or corrupt .too short for",
    "bit flips": "truncated or corrupt|copy it again",
    "text": "scan.nii.gz is no complete NIfTI file .*; convert it, or copy it again",
    "another format": "is no complete NIfTI file .*; convert it",
    "empty": "is no complete NIfTI file",
    "missing": "scan.nii.gz does not exist; check the path",
    "two axes": "has 2 axes, 18x16, instead of three; extract one volume",
    "four axes": "scan.nii.gz holds 2 volumes; extract one into a file first",
    "colour": "has colour .3 channels. voxels; convert it to one grey value a voxel",
    "complex": "has complex64 voxels; convert it to one grey value a voxel",
    "NaN": "2 voxels are NaN or infinite; .*--nan-fill",
    "no spacing": "spacing must be above zero",
    "singular affine": "must be invertible",
    "negative axis": "has a damaged header, with -20x-18x16 voxels; copy it again",
    "beyond float32": r"values reach 5.76e\+305, too large for 32-bit floats; rescale the scan",
    "scaled beyond float32": "scaled values are too large for 32-bit floats; rescale the scan",
    "huge": r"30000x30000x30000\) needs 3\d\d.\d TB of memory",
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_get_one_clear_line(tmp_path, kind):
    path = corrupt(tmp_path, kind)
    with pytest.raises(VolumeError, match=BAD_FILES[kind]) as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)


def test_a_bad_header_makes_one_error_and_no_other_output(tmp_path, capfd):
    content = bytearray(gzip.decompress(write_scan(tmp_path / "scan.nii.gz", np.zeros((4, 4, 4))).read_bytes()))
    content[108:112] = struct.pack("<f", 7)
    (tmp_path / "scan.nii").write_bytes(content)
    with pytest.raises(VolumeError, match="is no complete NIfTI file .vox offset 7 too low"):
        read_volume(tmp_path / "scan.nii")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_no_number_fills_no_gap(tmp_path, fill):
    with pytest.raises(ConfigurationError, match=r"--nan-fill (nan|-?inf|1e\+300) is no usable value; give a finite"):
        read_volume(corrupt(tmp_path, "NaN"), nan_fill=fill)


def test_nan_fill_fills(tmp_path):
    volume = read_volume(corrupt(tmp_path, "NaN"), nan_fill=-7)
    assert volume.voxels[3, 4, 5:7].tolist() == [-7, -7]


def test_paths_may_be_strings(tmp_path, noise):
    scan = Volume(noise, OBLIQUE)
    write_volume(scan, str(tmp_path / "out.nii.gz"), like=scan)
    np.testing.assert_array_equal(read_volume(str(tmp_path / "out.nii.gz")).voxels, noise)


def test_names_of_nifti_files():
    assert is_nifti("a/scan.NII")
    assert is_nifti(Path("scan.nii.gz"))
    # What macOS writes beside a file on a stick holds no voxels.
    assert not is_nifti("a/._scan.nii.gz")
    assert not is_nifti("scan.mgz")


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("out.tif", None, "out.tif is no name of an image file; name the output .nii.gz, or one of .nii, "),
        ("out.nii", "int7", "int7 is no type on disk; choose one of uint8, "),
    ],
)
def test_outputs_that_no_nifti_file_can_be(tmp_path, noise, name, dtype, message):
    scan = Volume(noise, OBLIQUE)
    with pytest.raises(OutputError, match=message):
        write_volume(scan, tmp_path / name, like=scan, dtype=dtype)
    assert not list(tmp_path.iterdir())


# nibabel leaves the file that it could not write to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_leaves_nothing_behind(tmp_path):
    scan = Volume(np.random.default_rng(0).random((64, 64, 64)), OBLIQUE)
    # A limit on the size of files makes the system refuse to write on, as a full disk does.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"out.nii could not be written: File too large. Free space"):
            write_volume(scan, tmp_path / "out.nii", like=scan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_header_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path, name):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((700, 700, 700))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    data = header.binaryblock + bytes(4) + bytes(1000)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    tracemalloc.start()
    try:
        with pytest.raises(VolumeError, match="is truncated or corrupt .too short for 700x700x700 voxels.; copy it"):
            read_volume(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
