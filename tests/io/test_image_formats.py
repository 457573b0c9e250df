"""Every format of image files against another reader: the world box of all eight corners, values, what is carried."""

import re
import struct
import sys
import zlib
from itertools import product

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK
from nibabel.affines import apply_affine

from sr_keras.errors import ConfigurationError, MissingDependencyError, OutputError, VolumeError
from sr_keras.io.image_names import SUFFIXES, input_files, is_whole, output_files
from sr_keras.io.nifti import read_grid, read_volume, read_volumes, volume_count, write_volume
from sr_keras.io.scans import with_nifti_header
from sr_keras.volumes.volume import Volume

SHAPE = (7, 6, 5)
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
GRIDS = {
    "RAS": np.diag([1.0, 2.0, 3.0]),
    "LPS": np.diag([-1.0, -2.0, 3.0]),
    "sagittal": np.array([[0, 0, 1.2], [-0.9, 0, 0], [0, -0.9, 0]]),
    "oblique": TURN @ np.diag([0.7, 0.8, 2.5]),
    "left-handed oblique": TURN @ np.diag([-0.7, 0.8, 2.5]),
}
ORIGIN = (-31.5, 20.25, 7.0)


def affine_of(grid):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = GRIDS[grid], ORIGIN
    return affine


def corners(affine, shape):
    """The eight outer corners in mm, in RAS."""
    return apply_affine(affine, [*product(*((-0.5, length - 0.5) for length in shape))])


def by_simpleitk(path):
    """Corners and values, by ITK's own readers of each format."""
    image = SimpleITK.ReadImage(str(path))
    places = product(*((-0.5, length - 0.5) for length in image.GetSize()))
    box = np.array([image.TransformContinuousIndexToPhysicalPoint(place) for place in places]) * (-1, -1, 1)
    return box, SimpleITK.GetArrayFromImage(image).T


def by_nibabel(path):
    image = nibabel.load(path)
    return corners(image.affine, image.shape), np.asarray(image.dataobj)


def by_layout(path):
    """An MGH file by its layout: 284 bytes of header, voxels from byte 284, big-endian."""
    with nibabel.openers.ImageOpener(path) as file:
        content = file.read()
    _, *shape, _, _kind, _, good = struct.unpack(">7ih", content[:30])
    numbers = np.frombuffer(content[30:90], ">f4").astype(float)
    spacing, cosines, centre = numbers[:3], numbers[3:12].reshape(3, 3).T, numbers[12:]
    matrix = cosines * spacing
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, centre - matrix @ np.array(shape[:3]) / 2
    assert good == 1
    voxels = np.frombuffer(content[284 : 284 + 2 * np.prod(shape)], ">i2").reshape(shape, order="F")[..., :]
    return corners(affine, shape), voxels


def by_pynrrd(path):
    voxels, header = nrrd.read(str(path))
    assert header["space"] == "left-posterior-superior"
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = header["space directions"].T, header["space origin"]
    return corners(np.diag([-1, -1, 1, 1]) @ affine, voxels.shape), voxels


def by_hand(path):
    """A MetaImage by the words of its header."""
    content = path.read_bytes()
    head, data = content, b""
    if path.suffix == ".mha":
        head, _, data = content.partition(b"ElementDataFile = LOCAL\n")
    fields = dict(re.findall(r"^(\w+) = (.*)$", head.decode("latin-1"), re.MULTILINE))
    data = data or path.with_name(fields["ElementDataFile"]).read_bytes()
    shape = [int(word) for word in fields["DimSize"].split()]
    directions = np.array(fields["TransformMatrix"].split(), float).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = (directions * np.array(fields["ElementSpacing"].split(), float)[:, None]).T
    affine[:3, 3] = fields["Offset"].split()
    voxels = np.frombuffer(zlib.decompress(data), "<i2").reshape(shape, order="F")
    return corners(np.diag([-1, -1, 1, 1]) @ affine, shape), voxels


READERS = [
    ("out.nii.gz", by_simpleitk),
    ("out.hdr", by_nibabel),
    ("out.hdr", by_simpleitk),
    ("out.img", by_nibabel),
    ("out.mgz", by_nibabel),
    ("out.mgz", by_layout),
    ("out.mgh", by_layout),
    ("out.nrrd", by_pynrrd),
    ("out.nhdr", by_pynrrd),
    ("out.mha", by_hand),
    ("out.mhd", by_hand),
]


@pytest.fixture
def ramp():
    return np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) - 50


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("name", "reader"), READERS, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_written_lies_where_another_reader_sees_it(tmp_path, ramp, grid, name, reader):
    scan = Volume(ramp, affine_of(grid))
    write_volume(scan, tmp_path / name, like=scan)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in output_files(tmp_path / name)}
    box, voxels = reader(tmp_path / name)
    np.testing.assert_allclose(box, corners(scan.affine, SHAPE), atol=1e-4)
    np.testing.assert_array_equal(voxels.reshape(SHAPE), ramp)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_others_write_is_read_where_it_lies(tmp_path, ramp, grid, suffix):
    path, affine = tmp_path / f"scan{suffix}", affine_of(grid)
    if suffix in (".nrrd", ".nhdr", ".mha", ".mhd"):
        image = SimpleITK.GetImageFromArray(ramp.T)
        lps = np.diag([-1, -1, 1, 1]) @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        image.SetSpacing(spacing)
        image.SetDirection((lps[:3, :3] / spacing).ravel())
        image.SetOrigin(lps[:3, 3])
        SimpleITK.WriteImage(image, str(path))
    else:
        kind = {
            ".mgz": nibabel.MGHImage,
            ".mgh": nibabel.MGHImage,
            ".hdr": nibabel.Nifti1Pair,
            ".img": nibabel.Nifti1Pair,
        }
        nibabel.save(kind.get(suffix, nibabel.Nifti1Image)(ramp, affine), path)
    volume = read_volume(path)
    np.testing.assert_allclose(corners(volume.affine, SHAPE), corners(affine, SHAPE), atol=1e-4)
    np.testing.assert_array_equal(volume.voxels, ramp)
    assert volume.voxels.dtype == np.int16
    shape, seen = read_grid(path)
    # JSON takes no other integers than Python's.
    assert all(type(length) is int for length in shape)
    assert shape == SHAPE
    np.testing.assert_array_equal(seen, volume.affine)


@pytest.mark.parametrize("source", ["a.nii", "a.hdr", "a.mgz", "a.nrrd", "a.mhd"])
@pytest.mark.parametrize("target", ["b.nii.gz", "b.img", "b.mgz", "b.nrrd", "b.mha"])
def test_every_format_becomes_every_other(tmp_path, ramp, source, target):
    scan = Volume(ramp, affine_of("oblique"))
    write_volume(scan, tmp_path / source, like=scan)
    first = read_volume(tmp_path / source)
    write_volume(first, tmp_path / target, like=first)
    second = read_volume(tmp_path / target)
    np.testing.assert_allclose(corners(second.affine, SHAPE), corners(scan.affine, SHAPE), atol=1e-4)
    np.testing.assert_array_equal(second.voxels, ramp)


def test_the_tags_of_freesurfer_and_its_scan_parameters_are_carried(tmp_path, ramp):
    image = nibabel.MGHImage(ramp, affine_of("oblique"))
    image.header["tr"], image.header["te"], image.header["flip_angle"] = 2300, 2.98, 0.157
    nibabel.save(image, tmp_path / "a.mgh")
    tags = struct.pack(">iq", 3, 10) + b"mri_label\0"
    with (tmp_path / "a.mgh").open("ab") as file:
        file.write(tags)
    scan = read_volume(tmp_path / "a.mgh")
    write_volume(scan, tmp_path / "b.mgh", like=scan)
    assert (tmp_path / "b.mgh").read_bytes() == (tmp_path / "a.mgh").read_bytes()
    write_volume(scan, tmp_path / "b.mgz", like=scan)
    assert nibabel.load(tmp_path / "b.mgz").header["te"] == np.float32(2.98)
    assert with_nifti_header(scan).header["pixdim"][4] == np.float32(2.3)


@pytest.mark.parametrize(
    ("stored", "on_disk"),
    [
        *(("uint8", "uint8"), ("uint16", "int32"), ("int8", "int16")),
        *(("uint32", "float32"), ("float32", "float32"), ("float64", "float32")),
    ],
)
def test_types_that_freesurfer_has_not_get_wider(tmp_path, ramp, stored, on_disk):
    scan = Volume((ramp % 100).astype(stored), np.eye(4))
    write_volume(scan, tmp_path / "a.mgz", like=scan)
    assert nibabel.load(tmp_path / "a.mgz").get_data_dtype() == np.dtype(on_disk).newbyteorder(">")
    with pytest.raises(OutputError, match=r"uint16 is no type of .mgz and .mgh; choose one of uint8, int16, int32"):
        write_volume(scan, tmp_path / "b.mgz", like=scan, dtype="uint16")
    write_volume(scan, tmp_path / "b.mgz", like=scan, dtype="float32")
    assert nibabel.load(tmp_path / "b.mgz").get_data_dtype() == np.dtype(">f4")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "b.mgz").get_fdata(), scan.voxels)


def test_names_and_colours_of_segments_are_carried_but_not_their_extent(tmp_path, ramp):
    fields = {"Segment0_Name": "liver", "Segment0_Color": "0.9 0.5 0.1", "Segment0_Extent": "0 6 0 5 0 4"}
    header = {"space": "left-posterior-superior", "space directions": np.eye(3), "space origin": np.zeros(3)}
    nrrd.write(str(tmp_path / "a.seg.nrrd"), ramp, header | fields)
    scan = read_volume(tmp_path / "a.seg.nrrd")
    write_volume(scan, tmp_path / "b.seg.nrrd", like=scan)
    written = nrrd.read_header(str(tmp_path / "b.seg.nrrd"))
    assert (written["Segment0_Name"], written["Segment0_Color"]) == ("liver", "0.9 0.5 0.1")
    assert "Segment0_Extent" not in written


def test_a_grid_with_a_shear_is_no_itk_image(tmp_path, ramp):
    affine = np.eye(4)
    affine[0, 1] = 0.2
    scan = Volume(ramp, affine)
    with pytest.raises(OutputError, match=r"a.nrrd: the scan's axes are not at right angles, .*; write .nii.gz"):
        write_volume(scan, tmp_path / "a.nrrd", like=scan)
    assert not list(tmp_path.iterdir())


def test_where_simpleitk_is_missing_one_line_says_what_to_install(tmp_path, ramp, monkeypatch):
    scan = Volume(ramp, np.eye(4))
    write_volume(scan, tmp_path / "a.nrrd", like=scan)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    for call in (lambda: read_volume(tmp_path / "a.nrrd"), lambda: write_volume(scan, tmp_path / "b.mha", like=scan)):
        with pytest.raises(
            MissingDependencyError, match=r"SimpleITK cannot be imported .*pip install 'sr_keras\[itk\]'"
        ):
            call()


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.mgz", "a.mgh", "a.hdr", "a.mhd"])
def test_damaged_files_get_one_clear_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(
        VolumeError, match="no complete .* file .*copy it again|other file of the pair is missing"
    ) as caught:
        read_volume(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_analyze_says_nothing_of_orientation_and_that_is_said(tmp_path, ramp):
    nibabel.save(nibabel.Spm99AnalyzeImage(ramp, None), tmp_path / "a.hdr")
    (tmp_path / "a.mat").unlink(missing_ok=True)
    volume = read_volume(tmp_path / "a.hdr")
    assert volume.axis_codes == ("L", "A", "S")
    np.testing.assert_array_equal(volume.voxels, ramp)
    write_volume(volume, tmp_path / "b.hdr", like=volume)
    assert isinstance(nibabel.load(tmp_path / "b.hdr"), nibabel.Nifti1Pair)


def time_series(path, count=3):
    voxels = np.random.default_rng(0).integers(0, 900, (*SHAPE, count)).astype(np.int16)
    image = nibabel.Nifti1Image(voxels, affine_of("oblique"))
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2.5
    nibabel.save(image, path)
    return voxels


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_volumes_of_a_time_series_are_read_one_by_one(tmp_path, name):
    voxels = time_series(tmp_path / name)
    assert volume_count(tmp_path / name) == 3
    for number, volume in enumerate(read_volumes(tmp_path / name)):
        np.testing.assert_array_equal(volume.voxels, voxels[..., number])
    np.testing.assert_array_equal(read_volume(tmp_path / name, volume=2).voxels, voxels[..., 1])
    with pytest.raises(VolumeError, match=r"a.nii(.gz)? holds 3 volumes; extract one into a file first"):
        read_volume(tmp_path / name)
    with pytest.raises(ConfigurationError, match=r"has no volume 4; choose --volume 1 to 3"):
        read_volume(tmp_path / name, volume=4)


def test_a_pair_is_one_image_and_a_detached_header_names_its_data(tmp_path, ramp):
    scan = Volume(ramp, np.eye(4))
    for name in ("a.hdr", "b.nhdr", "c.mhd"):
        write_volume(scan, tmp_path / name, like=scan)
    assert [path.name for path in input_files(tmp_path / "a.hdr")] == ["a.hdr", "a.img"]
    assert [path.name for path in input_files(tmp_path / "b.nhdr")] == ["b.nhdr", "b.raw.gz"]
    assert [path.name for path in input_files(tmp_path / "c.mhd")] == ["c.mhd", "c.zraw"]
    assert [path.name for path in sorted(tmp_path.iterdir()) if is_whole(path)] == ["a.hdr", "b.nhdr", "c.mhd"]
