import time

import nibabel
import numpy as np
import pytest
from helpers import SAMPLE
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_keras.io.nifti import read_volume
from sr_keras.volumes.label_maps import label_map_reason
from sr_keras.volumes.volume import Volume


def balls(*labels, shape=(40, 36, 30), dtype=np.uint8):
    """A label map: a ball for each label, apart from each other."""
    voxels = np.zeros(shape, dtype)
    grid = np.indices(shape)
    for number, label in enumerate(labels):
        centre = np.array([8 + 11 * (number % 3), 8 + 11 * (number // 3 % 3), 15]).reshape(3, 1, 1, 1)
        voxels[((grid - centre) ** 2).sum(0) < 25] = label
    return Volume(voxels, np.eye(4))


@pytest.mark.parametrize(
    ("volume", "name", "reason"),
    [
        (balls(1), "patient.nii.gz", "the values 0 and 1 alone"),
        (balls(255), "patient.nii.gz", "the values 0 and 255 alone"),
        (balls(1, 2, 5), "patient.nii.gz", "4 values, in regions"),
        (balls(1, 2, 5, dtype=np.float32), "patient.nii.gz", "4 values, in regions"),
        (balls(1001, 2035, dtype=np.int16), "sub-01_dseg.nii.gz", '"dseg" in its name, whole values alone'),
        (balls(3), "mask.nii.gz", '"mask" in its name, whole values alone'),
        (balls(), "sub-01_desc-brain_mask.nii", '"mask" in its name, whole values alone'),
        (balls(2, 3), "t1-SEG.nii.gz", '"seg" in its name, whole values alone'),
        (balls(2, 3), "aparc+aseg.mgz", '"aseg" in its name, whole values alone'),
        (balls(2, 3), "liver_label.nii", '"label" in its name, whole values alone'),
    ],
)
def test_label_maps_are_recognised_by_name_and_by_values(volume, name, reason):
    assert label_map_reason(volume, name) == reason


def test_a_lesion_in_one_slice_of_many_is_found():
    voxels = np.zeros((40, 40, 200), np.uint8)
    voxels[10, 10, 101] = 1
    assert label_map_reason(Volume(voxels, np.eye(4)), "patient.nii.gz") == "the values 0 and 1 alone"


def test_the_header_may_say_so():
    header = nibabel.Nifti1Header()
    header.set_intent("label")
    noise = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    assert label_map_reason(Volume(noise, np.eye(4), header=header), "scan.nii.gz") == "intent 1002"


@pytest.mark.parametrize("name", ["scan.nii.gz", "t1_mask.nii.gz", "sub-01_seg.nii.gz"])
@pytest.mark.parametrize("levels", [0, 256, 64])
def test_a_real_scan_is_none_whatever_it_is_called_and_in_few_bits(name, levels):
    volume = read_volume(SAMPLE)
    if levels:
        share = volume.voxels / np.percentile(volume.voxels, 99.5)
        volume = volume.with_voxels(np.clip(share * levels, 0, levels - 1).astype(np.uint8))
    start = time.process_time()
    assert label_map_reason(volume, name) == ""
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "voxels",
    [
        np.full((9, 9, 9), 7),
        np.random.default_rng(0).integers(0, 4, (20, 18, 16)),
        np.where(balls(1).voxels, 0, -1000).astype(np.int16),
        balls(1).voxels * 0.3,
    ],
    ids=["one value", "noise of four values", "air and water", "fractions"],
)
def test_odd_scans_and_phantoms_are_none(voxels):
    assert label_map_reason(Volume(voxels, np.eye(4)), "phantom.nii.gz") == ""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=2, max_size=9, unique=True))
def test_any_labels_in_regions_are_found(labels):
    assert "in regions" in label_map_reason(balls(*labels, dtype=np.int16), "x.nii")
