import numpy as np
import pytest
from comparing import DATA
from pydicom import dcmread

from sr_keras.dicom import decoding
from sr_keras.dicom.decoding import Decoder
from sr_keras.errors import VolumeError

FILES = sorted((DATA / "compressed_jpeg").iterdir())


def test_one_process_decodes_file_after_file():
    with Decoder() as decoder:
        for path in FILES:
            pixels = decoder.decode(path.read_bytes(), "scan")
            np.testing.assert_array_equal(pixels, dcmread(path).pixel_array)


def test_what_cannot_be_decoded_is_said_and_the_next_file_goes_on():
    with Decoder() as decoder:
        with pytest.raises(VolumeError, match="Received: data that cannot be decoded"):
            decoder.decode(b"nothing", "scan")
        assert decoder.decode(FILES[0].read_bytes(), "scan").shape == (256, 256)


def test_a_decoder_that_crashes_takes_nothing_with_it():
    with Decoder() as decoder:
        decoder._started().kill()
        decoder._started().wait()
        with pytest.raises(VolumeError, match="Received: data that the decoder died of"):
            decoder.decode(FILES[0].read_bytes(), "scan")


def test_a_decoder_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(decoding, "LONGEST_DECODING", 0.001)
    with Decoder() as decoder, pytest.raises(VolumeError, match="Received: data that the decoder died of"):
        decoder.decode(FILES[0].read_bytes(), "scan")
