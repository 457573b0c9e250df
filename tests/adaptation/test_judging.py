"""How far an adapted network goes from the one it began with."""

import numpy as np
import pytest

from sr_keras.adaptation.fitting import started, upsample
from sr_keras.adaptation.judging import Verdict, between, judge
from sr_keras.adaptation.pairs import Pairs, PatchSampler
from sr_keras.adaptation.sampling import are_coarse
from sr_keras.adaptation.slices import take_slices
from sr_keras.adaptation.start import start_of
from sr_keras.models.stages import find_stage
from sr_keras.volumes.volume import Volume


@pytest.fixture(scope="module")
def start():
    return start_of(find_stage("fast_d_x2"), 2)


def shifted(start, by):
    """Return a chain whose result is larger by a number."""
    kernel, bias = start.weights["linear"]
    other = {**start.weights, "linear": (kernel, bias + np.float32(by))}
    return between(start, type(start)(start.scale, start.widths, start.skip, other), 1.0)


def sampler_of(start, by):
    """Return patches whose targets are what a chain makes, larger by a number."""
    low = np.random.default_rng(0).random((4, 40, 30), np.float32)
    return PatchSampler([Pairs(low, upsample(started(start), low) + np.float32(by))], 2, (32, 24))


@pytest.mark.parametrize(("right", "share"), [(0.04, 1.0), (0.03, 0.75), (0.02, 0.5)])
def test_it_goes_as_far_as_held_out_slices_say(start, right, share):
    verdict, chosen = judge(start, shifted(start, 0.04), sampler_of(start, right), 0)
    assert (verdict.share, verdict.accepted) == (share, True)
    assert chosen.weights["linear"][1] - start.weights["linear"][1] == pytest.approx(0.04 * share, rel=1e-4)


def test_it_goes_three_quarters_of_the_way_where_pixels_of_pairs_are_coarse(start):
    verdict, _ = judge(start, shifted(start, 0.04), sampler_of(start, 0.04), 0, coarse=True)
    assert (verdict.share, verdict.accepted) == (0.75, True)


# In-plane pixels and slices in mm, the factor, what pixels become, and whether the pairs are coarse: two pixels of
# 0.96 mm are 1.92 mm for 1.5 mm; one of 0.78 mm is too fine for 1 mm, two of it do for 1.5 mm.
@pytest.mark.parametrize(
    ("pixel", "depth", "scale", "becomes", "coarse"),
    [(0.96, 3.0, 2, 0.96, True), (0.78, 2.0, 2, 1.0, False), (0.78, 6.0, 4, 0.78, False), (1.0, 2.0, 2, 1.0, False)],
)
def test_pixels_of_pairs_fit_into_those_of_the_result(pixel, depth, scale, becomes, coarse):
    voxels = np.random.default_rng(0).random((96, 96, 8), np.float32)
    scan = take_slices(Volume(voxels, np.diag([pixel, pixel, depth, 1.0]), "MR"), 2, scale)
    assert scan.spacing[:2] == pytest.approx((becomes, becomes))
    assert scan.slices.shape[1] == pytest.approx(96 * pixel / becomes, abs=1)
    assert are_coarse([scan], scale) == coarse


def test_what_does_not_gain_is_refused(start):
    verdict, _ = judge(start, shifted(start, 0.04), sampler_of(start, -0.04), 0)
    assert verdict.gain < 0
    assert not verdict.accepted


def test_the_whole_way_must_be_worth_a_twentieth_of_a_decibel_more():
    assert Verdict(1.0, 0.07).accepted
    assert not Verdict(1.0, 0.05).accepted
    assert Verdict(0.5, 0.04).accepted
