"""Conformal factors on scores whose quantiles are known, and edges worked out by hand."""

import numpy as np
import pytest

from sr_keras.uncertainty.conformal import EDGE, Factors, calibrated_factor, edges_of


def test_the_factor_is_the_largest_quantile_of_any_scan():
    # The 0.9 quantiles of 0, 1, ..., 10 and of ten times as much are 9 and 90.
    assert calibrated_factor([np.arange(11.0), 10 * np.arange(11.0)]) == pytest.approx(90)


def test_scans_without_such_voxels_do_not_count():
    assert calibrated_factor([np.arange(11.0), np.array([])]) == pytest.approx(9)


@pytest.mark.parametrize("count", [4, 9])
def test_a_new_scan_is_covered_as_often_as_the_docstring_says(count):
    """Of N + 1 scans in random order the last has the largest quantile once in N + 1 times."""
    generator, covered = np.random.default_rng(0), 0
    for _ in range(400):
        scans = [generator.lognormal(sigma=0.5) * generator.random(200) for _ in range(count + 1)]
        factor = calibrated_factor(scans[:-1])
        covered += np.mean(scans[-1] <= factor) >= 0.9
    assert covered / 400 == pytest.approx(count / (count + 1), abs=0.05)


def test_edges_of_a_step():
    image = np.zeros((1, 5, 9), np.float32)
    image[..., 4:] = 0.5
    # Differences are 0.5 in columns 3 and 4, their means over 3 columns 1/6, 1/3, 1/3, 1/6 from column 2 on. Beyond the
    # border the image goes on.
    assert edges_of(image)[0].tolist() == 5 * [[False, False, True, True, True, True, False, False, False]]
    assert not edges_of(image * EDGE).any()


def test_factors_by_region():
    assert Factors(2.0, 0.5).at(np.array([[True, False]])).tolist() == [[2.0, 0.5]]
