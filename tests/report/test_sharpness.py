import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from sr_keras.report.charts import spectrum_chart
from sr_keras.report.sharpness import edge_width, matching_axes, measure_sharpness
from sr_keras.volumes.volume import Volume


def step_edge(sigma):
    lines = np.zeros((4, 200))
    lines[:, 100:] = 50
    return gaussian_filter1d(lines, sigma, axis=-1) if sigma else lines


@pytest.mark.parametrize("sigma", [1, 2, 5, 10])
def test_a_gaussian_edge_has_its_width_from_10_to_90_percent(sigma):
    # The inverse normal distribution at 0.9 is 1.2816.
    assert edge_width(step_edge(sigma), 0.5) == pytest.approx(2 * 1.2816 * sigma * 0.5, rel=0.03)


def test_a_step_is_one_voxel_wide_and_a_ramp_as_wide_as_it_is():
    assert edge_width(step_edge(0), 0.7) == pytest.approx(0.7)
    assert edge_width(np.array([[0.0, 0, 1, 2, 3, 4, 4, 4]]), 2.0) == pytest.approx(8.0)


def test_the_strongest_edges_count():
    rng = np.random.default_rng(0)
    assert edge_width(step_edge(4) + rng.normal(0, 0.01, (4, 200)), 1.0) == pytest.approx(2.563 * 4, rel=0.15)


def test_a_constant_has_no_edge():
    assert np.isnan(edge_width(np.ones((3, 9)), 1.0))


def test_a_sine_is_at_its_frequency_with_its_power_on_grids_of_two_spacings():
    def volume(spacing):
        x = np.arange(int(256 / spacing)) * spacing
        line = 10 * np.sin(2 * np.pi * 0.125 * x)
        return Volume(np.tile(line[:, None, None], (1, 12, 12)).astype(np.float32), np.diag([spacing, 1, 1, 1]))

    coarse, fine = (measure_sharpness(volume(spacing), 0) for spacing in (1.0, 0.5))
    for found in (coarse, fine):
        assert found.frequencies[found.power.argmax()] == pytest.approx(0.125, abs=0.005)
    assert (coarse.frequencies[-1], fine.frequencies[-1]) == (0.5, 1.0)
    assert fine.power.max() == pytest.approx(coarse.power.max(), rel=0.05)


def test_axes_are_matched_by_the_direction_of_the_patient():
    other = np.array([[0, 1.0, 0, 0], [0, 0, 1.0, 0], [-1.0, 0, 0, 9], [0, 0, 0, 1]])
    assert matching_axes(np.eye(4), other) == [1, 2, 0]


def test_a_short_axis_has_no_spectrum():
    found = measure_sharpness(Volume(np.random.default_rng(0).random((40, 40, 3)), np.eye(4)), 2)
    assert found.power.size == 0
    assert "<polyline" not in spectrum_chart("up", found, found)


def test_a_chart_says_where_the_scan_ends(sample):
    before = measure_sharpness(sample, 2)
    chart = spectrum_chart("left to right <", before, before)
    assert chart.count("<polyline") == 2
    assert "The scan ends at 0.5, the result at 0.5 cycles per mm." in chart
    assert "left to right &lt;" in chart
    # The scan's Nyquist frequency is at the right end here, the strongest power on the top line.
    assert 'class="nyquist" x1="332.0"' in chart
