import numpy as np
import pytest

from sr_keras.acquisition.noise import coloured, rician


def test_rician_noise_has_the_moments_of_the_rician_distribution():
    drawn = rician(np.full((400, 400), 2.0, np.float32), 1.0, np.random.default_rng(0))
    # The second moment is A^2 + 2 sigma^2; the mean for A = 2 sigma, from tables of the distribution: 2.2724.
    assert np.square(drawn).mean() == pytest.approx(6.0, rel=5e-3)
    assert drawn.mean() == pytest.approx(2.2724, rel=2e-3)


def test_coloured_noise_has_no_mean_and_a_standard_deviation_of_one():
    drawn = coloured((8, 128, 96), 0.15, 0.25, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0.0, abs=1e-5)
    assert drawn.std() == pytest.approx(1.0, rel=2e-2)


def test_coloured_noise_is_strongest_at_its_peak_and_gone_at_four_times_that():
    drawn = coloured((64, 128, 128), 0.1, 0.0, np.random.default_rng(0))
    power = np.square(np.abs(np.fft.fft2(drawn))).mean(axis=0)[0, :64]
    frequencies = np.arange(64) / 128
    assert frequencies[power.argmax()] == pytest.approx(0.1, abs=0.03)
    # Under 1 % of the peak beyond four times its frequency: 8 line pairs a cm for a peak at 2.
    assert power[frequencies >= 0.4].max() < 0.01 * power.max()


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.3, 0.5])
def test_coloured_noise_is_correlated_between_neighbouring_slices_only(correlation):
    drawn = coloured((64, 64, 64), 0.2, correlation, np.random.default_rng(0))
    assert (drawn[1:] * drawn[:-1]).mean() == pytest.approx(correlation, abs=0.02)
    assert (drawn[2:] * drawn[:-2]).mean() == pytest.approx(0.0, abs=0.02)
