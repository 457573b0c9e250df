"""The noise that is measured in slices, where it is known."""

import numpy as np
import pytest

from sr_keras.acquisition.noise import coloured
from sr_keras.adaptation.corruption import Corruption
from sr_keras.adaptation.noise import PIECE, noise_of

# A smooth body, with an edge, in air.
ROWS, COLUMNS = np.mgrid[-1:1:96j, -1:1:96j]
BODY = np.where(np.hypot(ROWS, COLUMNS) < 0.9, 0.3 + 0.1 * ROWS + 0.2 * (COLUMNS > 0.2), 0.0).astype(np.float32)


def noisy(noise):
    slices = BODY + noise.astype(np.float32)
    return slices, np.broadcast_to(BODY > 0.05, slices.shape)


@pytest.mark.parametrize("level", [0.005, 0.02])
def test_the_level_of_white_noise_in_mri(level):
    noise = noise_of(*noisy(level * np.random.default_rng(0).standard_normal((6, 96, 96))), "MR")
    assert noise.deviation == pytest.approx(level, rel=0.1)
    assert len(noise.powers) == 1


def test_the_spectrum_of_coloured_noise_in_ct():
    drawn = coloured((12, 96, 96), 0.15, 0.25, np.random.default_rng(0))
    noise = noise_of(*noisy(0.01 * drawn), "CT")
    # The quietest pieces have a little less than the others.
    assert noise.deviation == pytest.approx(0.01, rel=0.15)
    # f exp(-(f / f0)^2), f0 being sqrt(2) times the peak: Hanson 1979.
    frequencies = np.arange(2, 8) / PIECE
    expected = frequencies * np.exp(-np.square(frequencies / 0.15) / 2)
    measured = np.array(noise.powers[2:8])
    np.testing.assert_allclose(measured / measured.sum(), expected / expected.sum(), atol=0.06)


def test_slices_that_show_nothing_have_no_noise():
    empty = np.zeros((4, 40, 40), np.float32)
    for modality in ("CT", "MR"):
        assert noise_of(empty, empty > 0.05, modality).deviation == 0.0
    small = np.ones((4, 10, 40), np.float32)
    assert noise_of(small, small > 0.05, "CT").deviation == 0.0


def test_what_is_drawn_for_coloured_noise_makes_up_for_what_the_reduction_takes():
    slices = 0.01 * coloured((60, 96, 96), 0.15, 0.0, np.random.default_rng(1))
    noise = noise_of(*noisy(slices), "CT")
    to_low = np.repeat(np.eye(48, dtype=np.float32), 2, axis=1) / 2
    corruption, generator = Corruption(to_low, 96, noise), np.random.default_rng(2)
    low, target = slices @ to_low.T, slices.copy()
    for one, other in zip(low, target, strict=True):
        drawn, correction = corruption.draw(generator)
        one += drawn
        other -= correction
    assert low.std() == pytest.approx(0.01, rel=0.15)
    shared = np.corrcoef(low.ravel(), (target @ to_low.T).ravel())[0, 1]
    assert abs(shared) < 0.12
    assert np.corrcoef(low.ravel(), (slices @ to_low.T).ravel())[0, 1] > 0.7
