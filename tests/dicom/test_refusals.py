import numpy as np
import pytest
from synthetic import classic, enhanced, save

from sr_keras.dicom.reading import read_series
from sr_keras.errors import VolumeError


def of_type(*kind):
    datasets = classic("MR", np.int16)
    for dataset in datasets:
        dataset.ImageType = list(kind)
    return datasets


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (("ORIGINAL", "PRIMARY", "P", "ND"), "phase"),
        (("ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"), "phase"),
        (("DERIVED", "PRIMARY", "R", "ND"), "real"),
        (("ORIGINAL", "PRIMARY", "OTHER", "IMAGINARY"), "imaginary"),
    ],
)
def test_parts_of_complex_images_are_refused(tmp_path, kind, part):
    scan = save(of_type(*kind), tmp_path / "scan")
    with pytest.raises(VolumeError, match=f"a {part} image in slice 1. Choose the magnitude"):
        read_series(scan)


def test_the_real_part_is_let_through_when_it_is_said_to_be_an_image(tmp_path):
    real = save(of_type("ORIGINAL", "PRIMARY", "R"), tmp_path / "real")
    assert read_series(real, modality="MR").shape == (36, 32, 5)
    with pytest.raises(VolumeError, match="Choose the magnitude\\.$"):
        read_series(save(of_type("ORIGINAL", "PRIMARY", "P"), tmp_path / "phase"), modality="MR")


@pytest.mark.parametrize("kind", [("ORIGINAL", "PRIMARY", "M", "ND"), ("DERIVED", "SECONDARY", "MPR"), ("P",)])
def test_magnitudes_are_read(tmp_path, kind):
    assert read_series(save(of_type(*kind), tmp_path / "scan")).shape == (36, 32, 5)


def test_magnitude_and_phase_in_one_series_are_groups_of_which_one_can_be_read(tmp_path):
    datasets = of_type("ORIGINAL", "PRIMARY", "M", "ND") + of_type("ORIGINAL", "PRIMARY", "P", "ND")
    for number, dataset in enumerate(datasets, start=1):
        dataset.SeriesInstanceUID, dataset.InstanceNumber = datasets[0].SeriesInstanceUID, number
    scan = save(datasets, tmp_path / "scan")
    with pytest.raises(VolumeError, match="told apart by image type: 1: type ORIGINAL/PRIMARY/M/ND; 2: type .*/P/ND"):
        read_series(scan)
    assert read_series(scan, frame_group=1).shape == (36, 32, 5)
    with pytest.raises(VolumeError, match="a phase image in slice 6"):
        read_series(scan, frame_group=2)


def test_an_enhanced_object_says_it_in_its_frames(tmp_path):
    dataset = enhanced()
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.MRImageFrameTypeSequence = [type(frame)()]
        frame.MRImageFrameTypeSequence[0].ComplexImageComponent = "PHASE"
    with pytest.raises(VolumeError, match="a phase image in frame"):
        read_series(save([dataset], tmp_path / "scan"))
