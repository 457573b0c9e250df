import numpy as np
import pytest
from comparing import DATA
from synthetic import classic, enhanced, save

from sr_keras.dicom.reading import read_series
from sr_keras.errors import VolumeError


def two_echoes():
    """Two echoes of five slices, the instances of both in turn."""
    datasets = [dataset for _ in range(2) for dataset in classic("MR")]
    for number, dataset in enumerate(datasets):
        dataset.SeriesInstanceUID = datasets[0].SeriesInstanceUID
        dataset.EchoTime = 10 if number < 5 else 80
        dataset.InstanceNumber = 2 * (number % 5) + number // 5 + 1
        dataset.PixelData = (dataset.pixel_array + dataset.EchoTime).astype(np.int16).tobytes()
    return datasets


def test_echoes_are_told_apart_and_one_is_chosen(tmp_path):
    scan = save(two_echoes(), tmp_path / "scan")
    with pytest.raises(VolumeError, match="told apart by echo: 1: echo 10.0 ms; 2: echo 80.0 ms. Choose"):
        read_series(scan)
    short, long = read_series(scan, frame_group=1), read_series(scan, frame_group=2)
    np.testing.assert_array_equal(long.voxels - short.voxels, 70)
    with pytest.raises(VolumeError, match="Received: 3. Choose a number from 1 to 2"):
        read_series(scan, frame_group=3)


def test_an_echo_that_lost_a_slice_is_refused_and_the_other_read(tmp_path):
    datasets = two_echoes()
    del datasets[7]
    scan = save(datasets, tmp_path / "scan")
    assert read_series(scan, frame_group=1).shape == (36, 32, 5)
    with pytest.raises(VolumeError, match="1 missing slice between slice 4 and slice 8"):
        read_series(scan, frame_group=2)


def test_time_points_of_an_enhanced_object(tmp_path):
    scan = save([enhanced(times=3)], tmp_path / "scan")
    with pytest.raises(VolumeError, match="by time point: 1: time point 1; 2: time point 2; 3"):
        read_series(scan)
    first, third = read_series(scan, frame_group=1), read_series(scan, frame_group=3)
    np.testing.assert_array_equal(third.voxels - first.voxels, 4)


def test_volumes_without_a_telling_attribute_go_by_instance():
    with pytest.raises(VolumeError, match="2 groups .* by the order of instances: 1: from slice 1; 2: from slice 43"):
        read_series(DATA / "ge_fmri")
    frames = read_series(DATA / "ge_fmri", frame_group=2).header.frames
    assert [frame.header.InstanceNumber for frame in frames] == [43, 44, 45, 46]


def test_slices_at_one_position_are_no_volume(tmp_path):
    datasets = classic()
    for dataset in datasets:
        dataset.ImagePositionPatient = [0, 0, 0]
    with pytest.raises(VolumeError, match="5 slices at one position, as in bolus tracking"):
        read_series(save(datasets, tmp_path / "scan"))


def test_groups_that_one_attribute_does_not_tell_apart_are_by_two(tmp_path):
    datasets = [dataset for _ in range(4) for dataset in classic("MR")]
    for number, dataset in enumerate(datasets):
        dataset.SeriesInstanceUID, dataset.InstanceNumber = datasets[0].SeriesInstanceUID, number + 1
        dataset.EchoTime = 10 if number < 10 else 80
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M" if number % 10 < 5 else "P"]
    with pytest.raises(VolumeError, match="by echo and image type: 1: echo 10.0 ms, type ORIGINAL/PRIMARY/M; 2: "):
        read_series(save(datasets, tmp_path / "scan"))


def test_volumes_of_a_time_series_are_shown_with_their_times(tmp_path):
    datasets = [dataset for _ in range(12) for dataset in classic("MR")]
    for number, dataset in enumerate(datasets):
        dataset.SeriesInstanceUID = datasets[0].SeriesInstanceUID
        dataset.InstanceNumber = number + 1
        # Each slice has a time of its own, as in echo-planar imaging.
        dataset.AcquisitionTime = f"1015{number // 5:02}.{number % 5}00000"
    with pytest.raises(VolumeError, match="the order of instances: 1: time 10:15:00.0.*; 2: time 10:15:01.* ...; 12: "):
        read_series(save(datasets, tmp_path / "scan"))
