"""Geometry worked out by hand, and stacks that form no grid."""

import numpy as np
import pytest
from synthetic import classic, save

from sr_keras.dicom.frames import frames_of
from sr_keras.dicom.grid import check_stack, lps_affine, ras_affine, sorted_frames
from sr_keras.dicom.reading import read_series
from sr_keras.errors import VolumeError


def test_axial_slices():
    frames = sorted_frames(frames_of(classic()[::-1], "scan"))
    check_stack(frames, "scan")
    # Columns are 0.5 mm apart, rows 0.75, slices 2.5; LPS to RAS turns x and y.
    lps = [[0.5, 0, 0, -10], [0, 0.75, 0, -20], [0, 0, 2.5, 30], [0, 0, 0, 1]]
    ras = [[-0.5, 0, 0, 10], [0, -0.75, 0, 20], [0, 0, 2.5, 30], [0, 0, 0, 1]]
    np.testing.assert_allclose(lps_affine(frames), lps)
    np.testing.assert_allclose(ras_affine(lps_affine(frames)), ras)


def test_sagittal_slices_are_sorted_along_row_x_column():
    datasets = classic()
    for k, dataset in enumerate(datasets):
        # Rows to the back, columns to the feet: the normal is y x -z = -x, to the right.
        dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [0, 1, 0, 0, 0, -1], [2 * k, -5, 7]
    frames = sorted_frames(frames_of(datasets, "scan"))
    assert [frame.header.InstanceNumber for frame in frames] == [5, 4, 3, 2, 1]
    lps = [[0, 0, -2, 8], [0.5, 0, 0, -5], [0, -0.75, 0, 7], [0, 0, 0, 1]]
    np.testing.assert_allclose(lps_affine(frames), lps)


def shift(datasets, k, **changes):
    """Change attributes of one slice."""
    for keyword, value in changes.items():
        setattr(datasets[k], keyword, value)


def tilt(datasets):
    """Shift each slice along its columns, as a gantry tilted by 14 degrees does."""
    for k, dataset in enumerate(datasets):
        dataset.ImagePositionPatient = [-10, -20 + 0.62 * k, 30 + 2.5 * k]


def lose(datasets, *slices):
    """Remove slices."""
    for k in sorted(slices, reverse=True):
        del datasets[k]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda all_: lose(all_, 2), r"1 missing slice between slice 2 .*and slice 4 "),
        (lambda all_: lose(all_, 1, 2), r"2 missing slices between slice 1 .*and slice 4 "),
        (lambda all_: lose(all_, 0, 1, 2), "at least 3 slices.* Received: 2"),
        (
            lambda all_: shift(all_, 4, ImagePositionPatient=[-10, -20, 41]),
            "uneven spacing, 2.5 to 3.5 mm.* and slice 5",
        ),
        (
            lambda all_: shift(all_, 3, ImagePositionPatient=[-10, -20, 35]),
            "slice 4 .* and slice 3 .*at the same position",
        ),
        (lambda all_: shift(all_, 3, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "mixed orientations.* 90.0 degrees"),
        (lambda all_: shift(all_, 3, PixelSpacing=[0.75, 0.6]), r"one size and pixel spacing. Received: .*0.6x0.75 mm"),
        (lambda all_: shift(all_, 3, Rows=31), r"one size and pixel spacing. Received: .*36x31"),
        (tilt, "a gantry tilt of 13.9 degrees"),
        (lambda all_: shift(all_, 1, ImagePositionPatient=None), "frame 1 of instance 2 without a usable position"),
        (lambda all_: shift(all_, 1, PixelSpacing=[0, 1]), "without a usable pixel spacing above zero"),
        (lambda all_: shift(all_, 1, ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "perpendicular directions"),
        (lambda all_: shift(all_, 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "Received: a localiser"),
        (lambda all_: shift(all_, 1, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), "a Siemens mosaic.* dcm2niix"),
        (lambda all_: shift(all_, 1, PhotometricInterpretation="RGB", SamplesPerPixel=3), "Received: colour, RGB"),
        (lambda all_: shift(all_, 0, Modality="PT") or shift(all_, 4, Modality="PT"), "must be CT or MR. Received: PT"),
        (lambda all_: [shift(all_, k, NumberOfFrames=2) for k in range(5)], "must say where each frame lies"),
    ],
)
def test_what_is_no_grid(tmp_path, change, message):
    datasets = classic()
    change(datasets)
    with pytest.raises(VolumeError, match=message) as raised:
        read_series(save(datasets, tmp_path / "scan"))
    assert "\n" not in str(raised.value)


def test_rounded_positions_are_a_grid(tmp_path):
    datasets = classic()
    for k, dataset in enumerate(datasets):
        dataset.ImagePositionPatient = [-10, -20, round(30 + 2.46 * k, 1)]
    assert read_series(save(datasets, tmp_path / "scan")).spacing[2] == pytest.approx(2.45)


def test_another_modality_may_be_read_as_one_that_is_known(tmp_path):
    datasets = classic()
    for dataset in datasets:
        dataset.Modality = "OT"
    assert read_series(save(datasets, tmp_path / "scan"), modality="CT").modality == "CT"
