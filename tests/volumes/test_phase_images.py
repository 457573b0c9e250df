import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_keras.volumes.phase_images import phase_image_reason
from sr_keras.volumes.volume import Volume


def angles(brain, wraps, noise):
    """A phase image in radians: a field that grows from the middle, in the brain alone or with noise in the air."""
    grid = [np.linspace(-1, 1, length) for length in brain.shape]
    field = sum(axis**2 for axis in np.meshgrid(*grid, indexing="ij")) * wraps * np.pi
    if not noise:
        return np.where(brain.voxels > 0.08 * brain.voxels.max(), np.angle(np.exp(1j * field)), 0)
    amount = np.random.default_rng(0).normal(scale=0.01, size=(2, *brain.shape))
    return np.angle(brain.voxels / brain.voxels.max() * np.exp(1j * field) + amount[0] + 1j * amount[1])


@pytest.mark.parametrize("noise", [True, False], ids=["air", "masked"])
@pytest.mark.parametrize("wraps", [1, 3])
@pytest.mark.parametrize(
    ("convert", "ends"),
    [
        (lambda phase: phase.astype(np.float32), "-3.14[12] to 3.14[12]"),
        (lambda phase: (phase * 1000).round().astype(np.int16), "-314[12] to 314[12]"),
        (lambda phase: (phase / np.pi * 4096).clip(-4096, 4095).astype(np.int16), "-409[56] to 409[45]"),
        (lambda phase: (phase / np.pi * 2048).clip(-2048, 2047).astype(np.int16), "-204[78] to 204[67]"),
        (lambda phase: np.rad2deg(phase).astype(np.float32), "-180 to 180"),
    ],
    ids=["radians", "GE and Philips", "Siemens", "12 bits", "degrees"],
)
def test_angles_are_recognised_in_every_unit(sample, convert, ends, wraps, noise):
    phase = convert(angles(sample, wraps, noise))
    reason = phase_image_reason(Volume(phase, np.eye(4)), "scan.nii.gz")
    assert re.fullmatch(f"angles of {ends} that wrap", reason), reason


def test_angles_as_they_are_stored_without_a_scaling_are_recognised(sample):
    stored = ((angles(sample, 2, True) / np.pi + 1) * 2047.5).round().astype(np.uint16)
    assert phase_image_reason(Volume(stored, np.eye(4)), "scan.nii.gz") == "angles of 0 to 4095 that wrap"


@pytest.mark.parametrize("name", ["sub-01_part-phase_T2starw.nii.gz", "sub-01_part-phase_bold.nii"])
def test_the_name_of_bids_is_enough(sample, name):
    assert phase_image_reason(sample, name) == '"part-phase" in its name'


@pytest.mark.parametrize("name", ["sub-01_phasediff.nii.gz", "scan_e2_ph.nii.gz", "sub-01_phase1.nii.gz"])
def test_with_another_range_the_name_decides(sample, name):
    halved = (angles(sample, 2, True) * 500).astype(np.int16)
    volume = Volume(halved, np.eye(4))
    assert phase_image_reason(volume, "scan.nii.gz") == ""
    assert phase_image_reason(volume, name) == "angles of -1570 to 1570 that wrap"


@pytest.mark.parametrize("name", ["scan.nii.gz", "arterial_phase.nii.gz", "sub-01_phase1.nii.gz", "4d_ph.nii.gz"])
def test_a_scan_is_none_whatever_it_is_called(sample, name):
    start = time.process_time()
    assert phase_image_reason(sample, name) == ""
    ct = sample.voxels.astype(np.float32) / sample.voxels.max() * 4095 - 1024
    assert phase_image_reason(Volume(ct.astype(np.int16), np.eye(4)), name) == ""
    assert time.process_time() - start < 2


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([np.pi, 180.0, 1000 * np.pi, 2048.0, 4096.0]), st.integers(0, 2**32 - 1))
def test_values_of_such_a_range_that_do_not_wrap_are_none(end, seed):
    """A smooth map that has the ends of angles, such as a field map in radians."""
    chance = np.random.default_rng(seed)
    grid = np.meshgrid(*[np.linspace(-1, 1, 20)] * 3, indexing="ij")
    smooth = sum(weight * axis for weight, axis in zip(chance.uniform(0.2, 1, 3), grid, strict=True))
    volume = Volume((smooth / np.abs(smooth).max() * end).astype(np.float32), np.eye(4))
    assert phase_image_reason(volume, "fieldmap.nii.gz") == ""
