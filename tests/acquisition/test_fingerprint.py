import numpy as np
import pytest

from sr_keras.acquisition.description import Acquisition, InPlane
from sr_keras.acquisition.fingerprint import BANDS, DILATIONS, fingerprint, fingerprint_length
from sr_keras.acquisition.simulation import acquire

STEPS = len(BANDS) - 2


def noise(sigma, shape=(8, 128, 128)):
    return (0.5 + sigma * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def test_white_noise_has_a_flat_spectrum_and_its_own_level():
    vector = fingerprint(noise(0.02), (0, 1))
    assert vector.shape == (fingerprint_length((0, 1)),) == (2 * STEPS + len(DILATIONS),)
    assert vector[: 2 * STEPS] == pytest.approx(np.zeros(2 * STEPS), abs=0.04)
    assert 10 ** vector[2 * STEPS :] == pytest.approx([0.02, 0.02], rel=0.02)


def test_only_the_axes_asked_for_are_looked_at():
    # Neighbours averaged along the columns: the power falls as cos^2(pi f) along that axis.
    averaged = 0.5 * (noise(0.02)[:, :, 1:] + noise(0.02)[:, :, :-1])
    along_rows, along_columns = (fingerprint(averaged, (axis,)) for axis in (0, 1))
    assert along_rows[:STEPS] == pytest.approx(np.zeros(STEPS), abs=0.04)
    frequencies = np.linspace(0.375, 0.5, 1000)[:-1]
    logs = np.log10(np.cos(np.pi * frequencies) ** 2)
    expected = logs[500:].mean() - logs[:500].mean()
    assert along_columns[STEPS - 1] == pytest.approx(expected, abs=0.1)


def test_each_axis_has_its_own_numbers():
    averaged = 0.5 * (noise(0.02)[:, :, 1:] + noise(0.02)[:, :, :-1])
    both, rows, columns = (fingerprint(averaged, axes) for axes in ((0, 1), (0,), (1,)))
    assert both[:STEPS] == pytest.approx(rows[:STEPS])
    assert both[STEPS : 2 * STEPS] == pytest.approx(columns[:STEPS])
    assert both[2 * STEPS :] == pytest.approx(rows[STEPS:])


def test_it_does_not_change_with_the_gain_but_for_the_noise():
    first, second = (fingerprint(gain * noise(0.02), (0, 1)) for gain in (1.0, 2.0))
    spectrum = 2 * STEPS
    assert first[:spectrum] == pytest.approx(second[:spectrum], abs=1e-3)
    assert second[spectrum:] - first[spectrum:] == pytest.approx([np.log10(2)] * 2, abs=5e-3)


def test_acquisitions_differ():
    sharp, smooth = (
        fingerprint(
            acquire(noise(0.1), (1, 2, 2), Acquisition(in_plane), np.random.default_rng(0), data_range=1.0), (0, 1)
        )
        for in_plane in (InPlane("k_space"), InPlane("gaussian", width=2.0))
    )
    assert sharp[STEPS - 1] - smooth[STEPS - 1] > 0.3


@pytest.mark.parametrize("shape", [(3, 3), (5, 40), (9, 9)])
def test_small_slices_have_one_too(shape):
    assert np.isfinite(fingerprint([noise(0.02, shape)], (0, 1))).all()


def test_a_scan_without_tissue_has_zeros():
    assert (fingerprint(np.zeros((2, 16, 16), np.float32), (0, 1)) == 0).all()
