import base64
import zlib

import nibabel
import numpy as np
import pytest

from sr_keras.report.coding import Coding, ct_coding, even_coding, halved, nifti_header, packed, unpacked
from sr_keras.volumes.volume import Volume


def test_codes_are_those_of_the_nearest_values():
    coding = even_coding(0.0, 255.0)
    values = np.array([[[-3.0, 0.4, 0.6, 254.4, 300.0]]])
    assert coding.encode(values).ravel().tolist() == [0, 0, 1, 254, 255]


def test_ct_is_fine_where_soft_tissue_is():
    coding = ct_coding()
    assert len(coding.values) == 256
    assert (coding.values[0], coding.values[-1]) == (-1024, 2064)
    assert coding.values == tuple(sorted(set(coding.values)))
    for hounsfield, largest in ((40, 1), (-100, 3), (250, 3), (-800, 7), (1500, 25)):
        code = int(coding.encode(np.full((1, 1, 1), hounsfield))[0, 0, 0])
        assert abs(coding.values[code] - hounsfield) <= largest


def test_a_range_without_values_is_no_error():
    assert even_coding(3.0, 3.0).values[-1] == 4.0


def test_differences_by_hand():
    codes = np.array([[[5], [7]], [[4], [9]]], np.uint8)
    # Along i: 5, -1 and 7, 2. Then along j: 5, -1 and 2, 3; -1 is 255.
    assert list(zlib.decompress(base64.b64decode(packed(codes)))) == [5, 255, 2, 3]


@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 1, 1), (1, 9, 2), (64, 3, 1)])
def test_what_is_packed_can_be_unpacked(shape):
    codes = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(unpacked(packed(codes), shape), codes)


@pytest.mark.parametrize("coding", [even_coding(-20.0, 235.0), ct_coding()])
def test_another_program_reads_the_file_that_the_page_puts_together(coding, tmp_path):
    affine = np.array([[0, -2.0, 0, 7], [1.0, 0, 0, 8], [0, 0, 3.0, 9], [0, 0, 0, 1]])
    codes = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    voxels = codes if coding.is_even else np.array(coding.values, np.int16)[codes]
    header = base64.b64decode(nifti_header(codes.shape, affine, coding))
    path = tmp_path / "page.nii"
    path.write_bytes(header + voxels.tobytes(order="F"))
    image = nibabel.load(path)
    np.testing.assert_allclose(image.affine, affine)
    np.testing.assert_allclose(image.get_fdata(), np.array(coding.values)[codes], atol=1e-4)


def test_halving_keeps_the_field_of_view():
    voxels = np.arange(2 * 4 * 1, dtype=np.float32).reshape(2, 4, 1)
    half = halved(Volume(voxels, np.diag([1.0, 1.0, 5.0, 1.0])))
    # The means of 0, 1, 4, 5 and of 2, 3, 6, 7.
    np.testing.assert_allclose(half.voxels, [[[2.5], [4.5]]])
    np.testing.assert_allclose(half.affine[:3, 3], [0.5, 0.5, 0])
    assert half.spacing == (2, 2, 5)
    assert halved(Volume(np.zeros((5, 5, 5), np.float32), np.eye(4))).shape == (2, 2, 2)
    assert halved(Volume(np.zeros((5, 5, 5), np.float32), np.eye(4)), (False, True, False)).shape == (5, 2, 5)


def test_uneven_steps_are_told():
    assert even_coding(-1.0, 1.0).is_even
    assert not Coding(tuple(float(each) ** 2 for each in range(256))).is_even
