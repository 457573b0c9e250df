from dataclasses import replace

import pytest

from sr_keras.models.complexity import macs, stacks_of, workload_of
from sr_keras.models.stages import find_stage

HW, D = (find_stage(f"georgescu2020_{stage}_x2").card for stage in ("hw", "d"))


def test_the_published_network_takes_7_49_g_macs_for_a_slice_of_256x256():
    # The paper's network needs 114,336 of them for each low-resolution pixel.
    assert macs(HW, 256, 256) == 114_336 * 256 * 256
    assert macs(HW, 256, 256) / 1e9 == pytest.approx(7.49, abs=0.005)
    assert macs(D, 100, 50) == 75_744 * 100 * 50


def test_a_volume_is_cut_once_by_the_hw_stage_and_twice_by_the_d_stage():
    assert stacks_of("hw", (20, 30, 40), 2) == [(40, 20, 30)]
    assert stacks_of("hw", (20, 30, 40), 0) == [(20, 30, 40)]
    assert stacks_of("d", (20, 30, 40), 2) == [(30, 20, 40), (20, 30, 40)]


def test_workload_of_stacks():
    workload = workload_of(D, [(30, 20, 40), (20, 30, 40)])
    assert workload == {"slices": 50, "megapixels": 2 * 30 * 20 * 80 / 1e6, "macs": 75_744 * 2 * 30 * 20 * 40}


def test_the_macs_of_a_stage_at_a_factor_that_no_family_builds_are_not_counted():
    card = replace(find_stage("fast_d_x2").card, scale=3, macs=0)
    assert workload_of(card, [(30, 20, 40)]) == {"slices": 30, "megapixels": 30 * 20 * 120 / 1e6, "macs": 0}
