from functools import partial

import numpy as np
import pytest

from sr_keras.acquisition.k_space import acquire_k_space
from sr_keras.acquisition.windows import hamming


def waves(cycles, length=48, offset=2.0):
    """A row of cosines around an offset, as one slice of equal rows."""
    row = offset + np.cos(2 * np.pi * cycles * (np.arange(length) + 0.5) / length)
    return np.tile(row, (length, 1))[None].astype(np.float32)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("cycles", [1, 3, 5])
def test_a_sinusoid_below_the_new_nyquist_frequency_keeps_amplitude_and_phase(factor, cycles):
    acquired = acquire_k_space(waves(cycles), (factor, factor))
    # The same field of view, sampled at the centres of fewer voxels.
    assert acquired == pytest.approx(waves(cycles, 48 // factor), abs=1e-5)


def test_a_sinusoid_above_the_new_nyquist_frequency_is_gone():
    assert acquire_k_space(waves(17), (2, 2)) == pytest.approx(np.full((1, 24, 24), 2.0), abs=1e-5)


def test_zero_filling_removes_what_was_not_acquired():
    assert acquire_k_space(waves(10), (2, 2), acquired=(0.75, 0.75)) == pytest.approx(
        np.full((1, 24, 24), 2.0), abs=1e-5
    )
    assert acquire_k_space(waves(8), (2, 2), acquired=(0.75, 0.75)) == pytest.approx(waves(8, 24), abs=1e-5)


def test_a_window_weakens_a_sinusoid_by_its_value():
    acquired = acquire_k_space(waves(6), (2, 2), partial(hamming, alpha=0.54))
    # 6 of 12 cycles: .54 along the columns; the constant rows lie at frequency 0, where the window is 1.
    expected = 2.0 + 0.54 * (waves(6, 24) - 2.0)
    assert acquired == pytest.approx(expected, abs=1e-5)


def test_partial_fourier_measures_one_end_of_the_rows():
    rows = waves(8).transpose(0, 2, 1)
    whole = acquire_k_space(rows, (2, 2), partial_fourier=0.9)
    half = acquire_k_space(rows, (2, 2), partial_fourier=0.75)
    assert whole == pytest.approx(waves(8, 24).transpose(0, 2, 1), abs=1e-5)
    # One of the two halves of the cosine is left, e^(i phase) / 2, and its magnitude is taken.
    phase = 2 * np.pi * 8 * (np.arange(24) + 0.5) / 24
    assert half[0, :, 0] == pytest.approx(np.abs(2.0 + 0.5 * np.exp(1j * phase)), abs=1e-5)


def test_noise_is_rician_where_there_is_no_signal():
    empty = acquire_k_space(np.zeros((4, 256, 256), np.float32), (2, 2), noise=0.1)
    # Gudbjartsson and Patz 1995: mean sigma sqrt(pi / 2), variance (2 - pi / 2) sigma^2.
    assert empty.mean() == pytest.approx(0.1 * 1.2533, rel=1e-2)
    assert empty.var() == pytest.approx(0.01 * 0.4292, rel=2e-2)


def test_noise_is_gaussian_where_the_signal_is_strong():
    bright = acquire_k_space(np.full((4, 256, 256), 10.0, np.float32), (2, 2), noise=0.1)
    assert bright.mean() == pytest.approx(10.0 + 0.01 / 20.0, abs=2e-3)
    assert bright.std() == pytest.approx(0.1, rel=1e-2)


def test_noise_passes_the_window():
    bright = np.full((4, 256, 256), 10.0, np.float32)
    windowed = acquire_k_space(bright, (2, 2), partial(hamming, alpha=0.54), noise=0.1)
    # The mean square of Hamming's window along an axis is .54^2 + .46^2 / 2 = .3974.
    assert windowed.std() == pytest.approx(0.1 * 0.3974, rel=2e-2)
