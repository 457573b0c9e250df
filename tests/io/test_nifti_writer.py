"""A file written slab by slab is the file that nibabel writes of the whole volume."""

import gzip
from contextlib import closing

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from sr_keras.io.nifti import open_stream, read_volume, write_volume
from sr_keras.io.nifti_header import header_on_grid
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.quantization import stored_values
from sr_keras.volumes.slab_buffers import FileSlabBuffer, MemorySlabBuffer, spans
from sr_keras.volumes.volume import Volume

AFFINE = np.array([[1.5, -0.4, 0, -60], [0.4, 1.4, 0.2, 30], [0, -0.3, 3, 10], [0, 0, 0, 1.0]])


@pytest.fixture(params=["int16", ">i2", "scaled", "float32", "int32", "uint8", "nifti2", "extension"])
def like(request, tmp_path, noise):
    """A scan of a kind, as a file."""
    kind = request.param
    image_type = nibabel.Nifti2Image if kind == "nifti2" else nibabel.Nifti1Image
    dtype = np.dtype("int16" if kind in ("scaled", "nifti2", "extension") else kind)
    header = image_type.header_class(endianness=">" if kind == ">i2" else "<")
    header.set_data_dtype(dtype)
    image = image_type((noise % 200).astype(dtype), AFFINE, header)
    if kind == "scaled":
        image.header.set_slope_inter(0.25, -1024)
    if kind == "extension":
        image.header.extensions.append(Nifti1Extension("comment", b"a scan"))
    nibabel.save(image, tmp_path / "like.nii")
    return read_volume(tmp_path / "like.nii")


@pytest.fixture
def larger(like):
    """A volume over the same field of view, twice as fine, with values that need rounding."""
    voxels = like.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 5, voxels.shape).astype(np.float32)
    return like.with_voxels(voxels + noise, rescaled_affine(like.affine, (0.5, 0.5, 0.5)))


def by_nibabel(larger, like, path):
    """Write the whole volume by nibabel, as this package did before it wrote slabs."""
    header = header_on_grid(larger.shape, larger.affine, like, None)
    (slope, intercept), dtype = header.get_slope_inter(), header.get_data_dtype()
    values = (larger.voxels.astype(np.float64) - intercept) / slope
    if dtype.kind in "iu":
        values = np.clip(np.rint(values), np.iinfo(dtype).min, np.iinfo(dtype).max)
    image = type(nibabel.load(like.source))(values.astype(dtype), None, header)
    image.header.set_slope_inter(slope, intercept)
    nibabel.save(image, path)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("place", ["memory", "disk"])
def test_slabs_of_any_axis_become_the_file_of_the_whole(tmp_path, like, larger, axis, place):
    by_nibabel(larger, like, tmp_path / "whole.nii")
    write_volume(larger, tmp_path / "ours.nii", like=like)
    shape, dtype, order = larger.shape, like.header.get_data_dtype(), list(dict.fromkeys([axis, 2, 1, 0]))
    kept = MemorySlabBuffer(shape, order, dtype) if place == "memory" else FileSlabBuffer(shape, order, tmp_path, dtype)
    store = None if axis == 2 and place == "memory" else kept
    with closing(kept), open_stream(tmp_path / "slabs.nii", shape, larger.affine, like=like, store=store) as stream:
        for span in spans(shape[axis], 3):
            stream.write(axis, span, larger.voxels[(slice(None),) * axis + (span,)])
    expected = (tmp_path / "whole.nii").read_bytes()
    assert (tmp_path / "ours.nii").read_bytes() == expected
    assert (tmp_path / "slabs.nii").read_bytes() == expected


def test_compressed_files_hold_the_same_and_are_the_same_each_time(tmp_path, like, larger):
    for name in ("whole.nii", "one.nii.gz", "two.nii.gz"):
        write_volume(larger, tmp_path / name, like=like)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.nii.gz", "two.nii.gz"))
    assert gzip.decompress(one) == (tmp_path / "whole.nii").read_bytes()
    assert one == two
    # No flags, so no name; no date.
    assert one[3:8] == bytes(5)
    np.testing.assert_array_equal(
        read_volume(tmp_path / "one.nii.gz").voxels, nibabel.load(tmp_path / "whole.nii").get_fdata()
    )


@pytest.mark.parametrize(
    ("axis", "span", "message"),
    [
        (2, slice(4, 8), "in the order of k, not slice.* of axis 2 after 0 slices"),
        (0, slice(0, 4), "in the order of k, not slice.* of axis 0 after 0 slices"),
        (2, slice(0, 15), "15 slices were written of 16"),
    ],
)
def test_slabs_out_of_order_and_missing_ones_are_bugs(tmp_path, noise, axis, span, message):
    scan = Volume(noise, AFFINE)
    stream = open_stream(tmp_path / "out.nii", scan.shape, scan.affine, like=scan)
    with pytest.raises(ValueError, match=message), stream as target:
        target.write(axis, span, noise[(slice(None),) * axis + (span,)])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_the_short_way_of_rounding_gives_what_the_long_one_does(dtype):
    halves = np.arange(-70_000, 70_000, 0.25, np.float32).reshape(50, -1, 4)
    tiny = np.nextafter(halves, np.float32(np.inf))
    for values in (halves, tiny):
        long = stored_values(values.astype(np.float64), np.dtype(dtype))
        np.testing.assert_array_equal(stored_values(values, np.dtype(dtype)), long)
