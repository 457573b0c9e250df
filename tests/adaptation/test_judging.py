"""How far an adapted network goes from the one it began with."""

import numpy as np
import pytest

from sr_keras.adaptation.fitting import started, upsample
from sr_keras.adaptation.judging import Verdict, between, judge
from sr_keras.adaptation.pairs import Pairs, PatchSampler
from sr_keras.adaptation.start import start_of
from sr_keras.models.stages import find_stage


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


def test_what_does_not_gain_is_refused(start):
    verdict, _ = judge(start, shifted(start, 0.04), sampler_of(start, -0.04), 0)
    assert verdict.gain < 0
    assert not verdict.accepted


def test_the_whole_way_must_be_worth_a_twentieth_of_a_decibel_more():
    assert Verdict(1.0, 0.07).accepted
    assert not Verdict(1.0, 0.05).accepted
    assert Verdict(0.5, 0.04).accepted
