import numpy as np
import pytest

from sr_keras.acquisition.windows import fermi, hamming, tukey


def test_fermi_is_half_at_its_cutoff_and_falls_by_its_width():
    values = fermi(np.array([0.0, 0.88, 0.98]), cutoff=0.88, width=0.10)
    # 1 / (1 + e^-8.8), 1/2, 1 / (1 + e).
    assert values == pytest.approx([0.999849, 0.5, 0.268941], abs=1e-6)


def test_tukey_of_half_is_flat_then_a_half_cosine():
    values = tukey(np.array([0.0, 0.5, 0.75, 1.0]), taper=0.5)
    assert values == pytest.approx([1.0, 1.0, 0.5, 0.0])


def test_tukey_of_one_is_the_window_of_hann():
    frequencies = np.linspace(0, 1, 7)
    assert tukey(frequencies, taper=1.0) == pytest.approx(np.hanning(13)[6:])


def test_hamming_is_that_of_numpy():
    assert hamming(np.linspace(0, 1, 7), alpha=0.54) == pytest.approx(np.hamming(13)[6:])
