import numpy as np
import pytest

from sr_keras.acquisition.profiles import PROFILES, average_axis, gaussian, profile_matrix, raised_cosine, slr


def test_slr_has_the_measured_taps():
    # acquisition of a 2-D stack: taps .133 .243 .243 .243 .133, a quarter of a thickness apart.
    taps = slr(np.array([-0.5, -0.25, 0.0, 0.25, 0.5]))
    assert taps / taps.sum() == pytest.approx([0.133, 0.243, 0.243, 0.243, 0.133], abs=2e-3)


def test_gaussian_is_half_at_half_a_thickness_and_has_a_sigma_of_0_42_thicknesses():
    assert gaussian(np.array([0.5, 0.4247])) == pytest.approx([0.5, np.exp(-0.5)], abs=1e-4)


def test_raised_cosine_is_half_at_half_a_thickness_and_ends_at_its_base():
    assert raised_cosine(np.array([0.0, 0.5, 1.0, 1.2])) / 2 == pytest.approx([1.0, 0.5, 0.0, 0.0])


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("thickness", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_ramp_keeps_its_values_at_the_centres_of_the_voxels(name, thickness, factor):
    ramp = np.arange(48, dtype=np.float32)[None, :]
    averaged = average_axis(ramp, 1, factor, name, thickness)
    centres = (np.arange(48 // factor) + 0.5) * factor - 0.5
    # Away from the border, where the ramp is mirrored.
    inner = slice(24 // factor // 2, -24 // factor // 2)
    assert averaged[0, inner] == pytest.approx(centres[inner], abs=1e-4)


def test_a_box_as_thick_as_the_spacing_is_the_mean():
    voxels = np.random.default_rng(0).random((3, 12, 2), np.float32)
    averaged = average_axis(voxels, 1, 4, "box")
    assert averaged == pytest.approx(voxels.reshape(3, 3, 4, 2).mean(axis=2), abs=1e-6)


def test_a_thicker_box_takes_parts_of_the_neighbours():
    # 1.5 low-resolution voxels are 3 high-resolution ones: half of one, two whole ones, half of one.
    assert profile_matrix("box", 12, 2, 1.5)[2, 3:7] == pytest.approx([1 / 6, 1 / 3, 1 / 3, 1 / 6], abs=1e-3)


def test_a_sinusoid_is_weakened_as_the_transform_of_a_gaussian_says():
    frequency, thickness, factor = 1 / 24, 1.0, 2
    wave = np.cos(2 * np.pi * frequency * np.arange(240, dtype=np.float32))
    averaged = average_axis(wave, 0, factor, "gaussian", thickness)
    sigma = thickness * factor / 2.3548
    centres = (np.arange(120) + 0.5) * factor - 0.5
    expected = np.exp(-2 * (np.pi * sigma * frequency) ** 2) * np.cos(2 * np.pi * frequency * centres)
    assert averaged[10:-10] == pytest.approx(expected[10:-10], abs=2e-3)
