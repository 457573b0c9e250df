import shutil
from pathlib import Path

import numpy as np
import pytest
from comparing import DATA
from pydicom import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from synthetic import classic, enhanced, save, voxels

from sr_keras.dicom.pixels import fill_padding
from sr_keras.dicom.reading import read_series
from sr_keras.errors import MissingDependencyError, VolumeError

STORED = voxels().transpose(2, 1, 0)


def changed(**changes):
    """A CT series with other attributes in each slice."""
    datasets = classic()
    for dataset in datasets:
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
    return datasets


def test_ct_is_in_hounsfield_units(tmp_path):
    volume = read_series(save(classic(), tmp_path / "scan"))
    assert (volume.modality, volume.voxels.dtype, volume.shape) == ("CT", np.int16, (36, 32, 5))
    np.testing.assert_array_equal(volume.voxels, STORED - 1024)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_each_kind_of_integer(tmp_path, dtype):
    volume = read_series(save(classic("MR", dtype), tmp_path / "scan"))
    np.testing.assert_array_equal(volume.voxels, STORED.astype(dtype))


@pytest.mark.parametrize("kind", ["explicit", "implicit", ".zip", "more behind"])
def test_plain_pixels_are_read_where_the_header_ended(tmp_path, monkeypatch, kind):
    datasets = classic("MR", np.int16)
    for dataset in datasets:
        if kind == "implicit":
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        if kind == "more behind":
            dataset.add_new(0xFFFCFFFC, "OB", b"padding!")
    scan = save(datasets, tmp_path / "scan")
    if kind == ".zip":
        scan = Path(shutil.make_archive(str(tmp_path / "scan"), "zip", scan))

    def parsed(*_, **__):
        raise AssertionError("the file is parsed a second time")

    monkeypatch.setattr("sr_keras.dicom.pixels.parsed", parsed)
    np.testing.assert_array_equal(read_series(scan).voxels, STORED)


def test_pixels_in_any_other_form_are_parsed(tmp_path):
    datasets = classic("MR", np.int16)
    datasets[0].PixelData += bytes(2)
    datasets[1].file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    datasets[1].PixelData = np.frombuffer(datasets[1].PixelData, "<i2").astype(">i2").tobytes()
    datasets[2].compress(RLELossless)
    np.testing.assert_array_equal(read_series(save(datasets, tmp_path / "scan")).voxels, STORED)


def test_unused_bits_are_dropped_and_the_sign_extended(tmp_path):
    datasets = changed(BitsStored=12, HighBit=11, PixelRepresentation=1, RescaleIntercept=0)
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, np.uint16)
        # Bits 12 to 15 hold an overlay, as before 2004; 12 bits of two's complement make 4095 - 4096 = -1.
        dataset.PixelData = (stored | 0x5000).astype(np.uint16).tobytes()
    expected = np.where(STORED >= 2048, STORED - 4096, STORED)
    np.testing.assert_array_equal(read_series(save(datasets, tmp_path / "scan")).voxels, expected)


def test_each_slice_has_its_own_slope(tmp_path):
    datasets = classic()
    for k, dataset in enumerate(datasets):
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 + k, -10 * k
    volume = read_series(save(datasets, tmp_path / "scan"))
    expected = STORED * (0.5 + np.arange(5)) - 10 * np.arange(5)
    assert volume.voxels.dtype == np.float32
    np.testing.assert_allclose(volume.voxels, expected, rtol=1e-6)


def test_enhanced_frames_are_sorted_and_rescaled(tmp_path):
    volume = read_series(save([enhanced()], tmp_path / "scan"))
    np.testing.assert_array_equal(volume.voxels, 2.0 * STORED)
    np.testing.assert_allclose(volume.affine[:3, 3], [10, 20, 30])


def test_floating_point_pixels(tmp_path):
    datasets = changed(BitsAllocated=32, RescaleSlope=1, RescaleIntercept=0)
    for k, dataset in enumerate(datasets):
        dataset.FloatPixelData = (voxels()[k] / 7).astype(np.float32).tobytes()
        for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(dataset, keyword)
    volume = read_series(save(datasets, tmp_path / "scan"))
    np.testing.assert_array_equal(volume.voxels, (STORED / 7).astype(np.float32))


def test_monochrome1_is_turned_in_mr_and_kept_in_hounsfield_units(tmp_path):
    datasets = classic("MR", "uint16")
    for dataset in datasets:
        dataset.PhotometricInterpretation = "MONOCHROME1"
    np.testing.assert_array_equal(read_series(save(datasets, tmp_path / "mr")).voxels, 65535 - STORED)
    scan = save(changed(PhotometricInterpretation="MONOCHROME1"), tmp_path / "ct")
    np.testing.assert_array_equal(read_series(scan).voxels, STORED - 1024)


def test_dark_padding_stays_and_bright_padding_is_made_dark(tmp_path):
    dark, bright = changed(PixelPaddingValue=-2000), changed(PixelPaddingValue=32767)
    for datasets in (dark, bright):
        for dataset in datasets:
            stored = np.frombuffer(dataset.PixelData, np.int16).copy()
            stored[:100] = dataset.PixelPaddingValue
            dataset.PixelData = stored.tobytes()
            dataset["PixelPaddingValue"].VR = "SS"
    assert read_series(save(dark, tmp_path / "dark")).voxels.min() == -3024
    read = read_series(save(bright, tmp_path / "bright")).voxels
    assert (read[0, 0, 0], read.max()) == (read.min(), STORED.max() - 1024)


def test_padding_alone_is_left_as_it_is():
    alone = np.full((2, 2, 2), 7)
    fill_padding(alone, alone == 7)
    assert (alone == 7).all()


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_pixels_are_those_that_went_in(tmp_path, syntax):
    datasets = classic("MR", "uint16")
    for dataset in datasets:
        dataset.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(read_series(save(datasets, tmp_path / "scan")).voxels, STORED)


def test_the_four_compressions_of_one_scan_are_one_scan():
    first, *others = (read_series(DATA / f"compressed_{name}") for name in ("rle", "jpeg", "jpegls", "j2k"))
    for other in others:
        np.testing.assert_array_equal(other.voxels, first.voxels)


def test_a_missing_decoder_is_named(monkeypatch):
    monkeypatch.setattr("sr_keras.dicom.pixels._has_decoder", lambda _: False)
    with pytest.raises(MissingDependencyError, match="JPEG 2000 .* pip install pylibjpeg"):
        read_series(DATA / "compressed_j2k")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PixelData": b"\0\0"}, "the pixel data of 00.*dcm must be an intact DICOM object"),
        ({"BitsAllocated": 12}, "Received: 16 of 12 bits"),
        ({"BitsStored": 0}, "Received: 0 of 16 bits"),
        ({"Rows": 60000, "Columns": 60000}, "the pixel data of .* must be|needs .* of memory"),
        ({"ModalityLUTSequence": [Dataset()]}, "Received: a look-up table"),
    ],
)
def test_pixels_that_cannot_be_read(tmp_path, changes, message):
    with pytest.raises(VolumeError, match=message):
        read_series(save(changed(**changes), tmp_path / "scan"))
