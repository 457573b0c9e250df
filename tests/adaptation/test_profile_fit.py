"""The thickness that is estimated, where the truth is known."""

import numpy as np
import pytest

from sr_keras.acquisition.profiles import average_axis
from sr_keras.adaptation.profile_fit import USUAL, ThroughPlane, fit_thickness
from sr_keras.adaptation.slices import take_slices
from sr_keras.adaptation.thickness import slice_profile
from sr_keras.volumes.volume import Volume


@pytest.fixture(scope="module")
def texture():
    """A texture without a direction, 72x72x144, of about 800 to 1,200."""
    shape = (72, 72, 144)
    frequencies = np.meshgrid(*(np.fft.fftfreq(length) for length in shape), indexing="ij")
    radius = np.sqrt(sum(np.square(each) for each in frequencies))
    noise = np.random.default_rng(0).standard_normal(shape)
    filtered = np.fft.ifftn(np.fft.fftn(noise) / (radius + 0.01) ** 1.5).real.astype(np.float32)
    return 1000 + 200 * filtered / filtered.std()


def estimated(voxels, factor, modality="MR"):
    scan = take_slices(Volume(voxels, np.diag([1, 1, factor, 1]), modality), 2, 2)
    return slice_profile(scan, None)


@pytest.mark.parametrize("factor", [3, 4])
@pytest.mark.parametrize("thickness", [0.7, 0.9, 1.1])
def test_an_estimate_is_within_a_fifth_of_the_truth(texture, factor, thickness):
    taken = estimated(average_axis(texture, 2, factor, "gaussian", thickness), factor)
    assert (taken.profile, taken.source) == ("gaussian", "estimated from the scan")
    assert taken.thickness == pytest.approx(thickness, rel=0.2)


def test_noise_hardly_changes_it(texture):
    low = average_axis(texture, 2, 4, "gaussian", 0.8)
    noisy = low + np.random.default_rng(1).normal(0, 20, low.shape).astype(np.float32)
    assert estimated(noisy, 4).thickness == pytest.approx(estimated(low, 4).thickness, rel=0.1)


def test_a_box_is_taken_for_the_gaussian_that_blurs_as_much(texture):
    # Standard deviation of a box over that of a Gaussian of its full width: 2.355 / sqrt(12).
    taken = estimated(average_axis(texture, 2, 4, "box", 1.0), 4)
    assert taken.thickness == pytest.approx(2.355 / np.sqrt(12), rel=0.2)


def test_the_brain_s_slices_are_as_thick_as_they_were_made(thick):
    assert slice_profile(take_slices(thick, 2, 2), None).thickness == pytest.approx(1.0, rel=0.25)


def test_an_image_blurred_alike_along_both_axes_shows_no_excess(texture):
    square = average_axis(texture[:, :, :72], 2, 3, "gaussian", 0.9)
    excess = ThroughPlane(square, 3.0).excess("gaussian", 0.9)
    assert np.std(excess) < 0.1
    assert np.std(ThroughPlane(square, 3.0).excess("gaussian", 0.4)) > 2 * np.std(excess)


def test_images_without_detail_are_taken_for_what_is_usual():
    flat = ThroughPlane(np.full((4, 60, 20), 0.5, np.float32), 3.0)
    for modality, usual in USUAL.items():
        assert fit_thickness([flat, flat], "gaussian", modality) == pytest.approx(usual, rel=0.05)


@pytest.mark.parametrize("shape", [(4, 64, 16), (64, 64, 4)])
def test_slices_too_small_or_too_few_to_compare_are_taken_for_what_is_usual(shape):
    voxels = np.random.default_rng(0).uniform(800, 1200, shape).astype(np.float32)
    images = voxels.transpose(1, 0, 2)
    assert fit_thickness([ThroughPlane(images, 5.0), ThroughPlane(voxels, 3.6)], "gaussian", "CT") == USUAL["CT"]
