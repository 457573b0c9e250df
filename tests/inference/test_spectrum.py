"""The self-check, on scans whose spectrum is known and on the sample, reduced well and badly."""

import re

import numpy as np
import pytest

from sr_keras.evaluation.protocol import task_factors
from sr_keras.inference.planning import Step
from sr_keras.inference.spectrum import high_frequency_warnings, nyquist_ratio
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume

IN_PLANE, THROUGH_PLANE = Step("hw", 2, (0, 1)), Step("d", 2, (2,))


def noisy(voxels: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Reduce well, and add the noise of an MRI, 8 % of the brightest tissue."""
    reduced = downsample_volume(voxels, factors)
    noise = np.random.default_rng(0).normal(0, 0.08 * np.percentile(voxels, 99.9), (2, *reduced.shape))
    return np.hypot(reduced + noise[0], noise[1])


def well_reduced(voxels: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    return downsample_volume(voxels, factors)


def every_second(voxels: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    return voxels[tuple(slice(None, None, factor) for factor in factors)]


def reduced_sample(sample, downsampling, step):
    factors = task_factors("in-plane" if step is IN_PLANE else "through-plane", 2, 2)
    return Volume(downsampling(sample.voxels.astype(np.float32), factors), sample.affine, source="sample")


@pytest.mark.parametrize("step", [IN_PLANE, THROUGH_PLANE], ids=["in-plane", "through-plane"])
def test_it_is_silent_where_the_networks_help(sample, step):
    # On the middle of this scan, so reduced, they gain 2.9 dB in-plane and 3.2 dB through-plane over cubic.
    assert high_frequency_warnings(reduced_sample(sample, well_reduced, step), [step]) == []


@pytest.mark.parametrize("downsampling", [noisy, every_second])
@pytest.mark.parametrize("step", [IN_PLANE, THROUGH_PLANE], ids=["in-plane", "through-plane"])
def test_it_warns_where_they_do_not(sample, step, downsampling):
    (warning,) = high_frequency_warnings(reduced_sample(sample, downsampling, step), [step, step])
    axes = "ij" if step is IN_PLANE else "k"
    before, after = warning.split("(")
    assert before == f"Warning: scan looks noisy or aliased along {axes} "
    assert re.fullmatch(r"-\d\.\d dB, threshold -7 dB\); the result may be worse than cubic interpolation\.", after)


def test_white_noise_is_alike_at_all_frequencies():
    noise = Volume(np.random.default_rng(0).normal(size=(96, 96, 40)), np.eye(4))
    assert nyquist_ratio(noise, (0, 1)) == pytest.approx(0, abs=0.5)
    assert nyquist_ratio(noise, (2,)) == pytest.approx(0, abs=0.5)


def test_two_waves_by_hand():
    # One wave in each band; an amplitude of a tenth is a power of -20 dB, and the bands have unlike numbers of bins.
    place = np.arange(128)
    wave = np.cos(2 * np.pi * 28 / 128 * place) + 0.1 * np.cos(2 * np.pi * 56 / 128 * place)
    volume = Volume(np.broadcast_to(wave[:, None, None], (128, 32, 32)), np.eye(4), "MR")
    power = {
        frequency: np.square(np.abs(np.fft.rfft(np.hanning(128) * np.cos(2 * np.pi * frequency * place))))
        for frequency in (28 / 128, 56 / 128)
    }
    bins = np.fft.rfftfreq(128)
    upper, lower = bins >= 0.375, (bins >= 0.1875) & (bins <= 0.25)
    expected = 10 * np.log10(0.01 * power[56 / 128][upper].mean() / power[28 / 128][lower].mean())
    assert nyquist_ratio(volume, (0,)) == pytest.approx(expected, abs=0.01)


def test_the_padding_of_a_ct_is_no_detail():
    voxels = np.random.default_rng(0).normal(0, 1, (64, 64, 40)).cumsum(axis=0).cumsum(axis=1) - 1000
    padded = np.maximum(voxels, -1024)
    padded[:20] = -1024
    below = padded.copy()
    below[:20] = -3024
    ratios = [nyquist_ratio(Volume(each, np.eye(4), "CT"), (0, 1)) for each in (padded, below)]
    assert ratios[0] == ratios[1]


@pytest.mark.parametrize("shape", [(31, 64, 64), (64, 31, 64)])
def test_nothing_is_said_of_short_axes_and_constant_scans(shape):
    noise = np.random.default_rng(0).normal(size=shape)
    assert nyquist_ratio(Volume(noise, np.eye(4)), (0, 1)) == -np.inf
    assert nyquist_ratio(Volume(np.full((64, 64, 64), 7), np.eye(4)), (0, 1)) == -np.inf
