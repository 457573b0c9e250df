"""Files that cannot be read say why; files that claim more than they hold take neither time nor memory."""

import sys
import time
import tracemalloc
import zipfile
import zlib
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian
from synthetic import classic, save

from sr_keras.dicom.finding import find_series, is_dicom
from sr_keras.dicom.reading import read_series
from sr_keras.dicom.streams import Beginning
from sr_keras.errors import VolumeError

MB = 1 << 20


def file_bytes(dataset):
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def zipped(path, *datasets):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, dataset in enumerate(datasets):
            archive.writestr(f"{number}.dcm", file_bytes(dataset))
    return path


def claiming(length):
    """The file of a slice up to its pixel data, which are said to have a length."""
    dataset = classic("CT", slices=1)[0]
    dataset.PixelData = b""
    return file_bytes(dataset)[:-4] + length.to_bytes(4, "little")


def peak_of(read, path):
    """Return what reading raises, and the most memory that Python took for it."""
    tracemalloc.start()
    try:
        with pytest.raises(VolumeError) as raised:
            read(path)
        return str(raised.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_encrypted_zip_says_so(tmp_path):
    data = bytearray(zipped(tmp_path / "scan.zip", *classic("CT")).read_bytes())
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(head, place + 1)) >= 0:
            data[place + flags] |= 1
    (tmp_path / "scan.zip").write_bytes(data)
    assert is_dicom(tmp_path / "scan.zip")
    with pytest.raises(VolumeError, match="Received: an encrypted .zip. Unpack it with its password first"):
        read_series(tmp_path / "scan.zip")


def test_a_zip_that_lost_its_end_says_so(tmp_path):
    data = zipped(tmp_path / "scan.zip", *classic("CT")).read_bytes()
    (tmp_path / "scan.zip").write_bytes(data[: len(data) // 2])
    assert is_dicom(tmp_path / "scan.zip")
    with pytest.raises(VolumeError, match="Received: a damaged or incomplete file. Copy it again"):
        read_series(tmp_path / "scan.zip")


def test_an_unreadable_first_file_says_why(tmp_path):
    scan = save(classic("CT"), tmp_path / "scan")
    # Reading one's own memory from its beginning is an input/output error, for root too.
    (scan / "000").symlink_to("/proc/self/mem")
    assert is_dicom(scan)
    with pytest.raises(VolumeError, match="Received: input/output error. Make it readable"):
        read_series(scan)


def test_a_large_member_is_not_unpacked_for_its_header(tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.dcm", claiming(64 * MB) + bytes(64 * MB))
    said, peak = peak_of(read_series, tmp_path / "scan.zip")
    assert "at least 3 slices" in said
    assert peak < 8 * MB


def test_a_deflated_bomb_is_not_inflated(tmp_path):
    dataset = classic("CT", slices=1)[0]
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta = BytesIO()
    meta.write(bytes(128) + b"DICM")
    write_file_meta_info(meta, dataset.file_meta)
    dataset.PixelData = b""
    plain = zlib.decompress(file_bytes(dataset)[len(meta.getvalue()) :], -zlib.MAX_WBITS)
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(plain[:-4] + (64 * MB).to_bytes(4, "little") + bytes(64 * MB)) + packer.flush()
    (tmp_path / "bomb.dcm").write_bytes(meta.getvalue() + body)
    said, peak = peak_of(read_series, tmp_path / "bomb.dcm")
    assert "at least 3 slices" in said
    assert peak < 8 * MB


def test_a_header_of_megabytes_is_refused_beyond_its_limit():
    stream = Beginning(BytesIO(bytes(4 * MB)), most=MB)
    assert len(stream.read(MB)) == MB
    with pytest.raises(VolumeError, match="A header must be smaller than 1.0 MB"):
        stream.read(2 * MB)


def test_a_deflated_series_is_read_as_the_plain_one(tmp_path):
    plain, deflated = classic("CT"), classic("CT")
    for dataset in deflated:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    expected = read_series(save(plain, tmp_path / "plain"))
    found = read_series(save(deflated, tmp_path / "deflated"))
    np.testing.assert_array_equal(found.voxels, expected.voxels)


def test_pixels_far_larger_than_their_image_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("sr_keras.dicom.pixels.LARGEST_HEADER", MB)
    scan = save(classic("CT"), tmp_path / "scan")
    (scan / "000.dcm").write_bytes((scan / "000.dcm").read_bytes() + bytes(2 * MB))
    with pytest.raises(VolumeError, match="as large as its image. Received: more than 1.1 MB"):
        read_series(scan)


def calls_for(slices, folder):
    """Return how many functions of Python are called to read so many slices."""
    scan, count = save(classic("CT", slices=slices), folder), 0

    def counting(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        read_series(scan)
    finally:
        sys.setprofile(None)
    return count


def test_a_small_slice_takes_few_steps_however_many_there_are(tmp_path):
    calls_for(3, tmp_path / "warm")
    few, more, many = (calls_for(number, tmp_path / str(number)) for number in (20, 60, 140))
    # Before headers were read without pixels and each but once, 13,000 a slice; now 6,700.
    assert (more - few) / 40 < 9000
    assert (many - more) / 80 == pytest.approx((more - few) / 40, rel=0.1)


@pytest.mark.slow
def test_three_thousand_small_slices_take_seconds(tmp_path):
    scan = save(classic("CT", slices=3000), tmp_path / "scan")
    start = time.process_time()
    assert len(find_series(scan)[0].sources) == 3000
    assert read_series(scan).shape == (36, 32, 3000)
    assert time.process_time() - start < 30
