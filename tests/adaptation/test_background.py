"""Background of MRI, whose noise has a mean of 1.25 standard deviations, is not learned from."""

import numpy as np
import pytest

from sr_keras.acquisition.profiles import average_axis
from sr_keras.adaptation.adapting import Settings, adapt
from sr_keras.adaptation.fitting import level_of, started, upsample
from sr_keras.adaptation.pairs import Pairs, PatchSampler
from sr_keras.adaptation.sampling import divided
from sr_keras.adaptation.slices import take_slices
from sr_keras.adaptation.stage import engine_of
from sr_keras.adaptation.start import folded_for, start_of
from sr_keras.adaptation.thickness import slice_profile
from sr_keras.engines import KerasEngine
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.stages import find_stage
from sr_keras.volumes.volume import Volume

DEVIATION = 20.0
INSIDE = np.hypot(*np.mgrid[-1:1:112j, -1:1:96j]) < 0.7


def noisy(shape_of_noise):
    """A head whose brain is 300 to 700 and whose background is 0, with Rician noise of 20."""
    generator = np.random.default_rng(0)
    texture = average_axis(generator.random((112, 96, 48), np.float32), 0, 1, "gaussian", 2.0)
    still = np.where(INSIDE[..., None], 300.0 + 400.0 * (texture > 0.5), 0.0)
    thick = average_axis(still, 2, 2, "gaussian", 1.0)
    real, imaginary = generator.normal(0.0, DEVIATION, (2, *thick.shape))
    return Volume(shape_of_noise(thick + real, imaginary).astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]), "MR")


@pytest.fixture(scope="module")
def magnitude():
    return noisy(np.hypot)


@pytest.fixture(scope="module")
def start(magnitude):
    return folded_for(find_stage("fast_d_x2"), magnitude, 2, 1.0)


def test_background_begins_a_few_pixels_from_tissue(magnitude):
    background = take_slices(magnitude, 2, 2).background
    rows, columns = np.mgrid[-1:1:112j, -1:1:96j]
    radius = np.hypot(rows, columns)
    assert background[:, radius > 0.85].mean() > 0.99
    assert not background[:, radius < 0.72].any()


def test_air_in_a_ct_is_learned_from(magnitude):
    ct = Volume(magnitude.voxels - 1000.0, magnitude.affine, "CT")
    assert not take_slices(ct, 2, 2).background.any()


def test_targets_there_are_what_the_stage_made_and_do_not_judge(magnitude, start):
    scan, chain = take_slices(magnitude, 2, 2), start_of(start, 2)
    learned, held_out = divided([scan], [slice_profile(scan, 2.0, "gaussian")], chain, 1.0, np.random.default_rng(0))
    low, target = learned.draw(100, np.random.default_rng(0))
    inner = (slice(None), slice(8, -8), slice(16, -16))
    target, made = target[..., 0][inner], upsample(started(chain), low[..., 0])[inner]
    kept = np.abs(target - made) < 1e-4
    assert kept.mean() > 0.02
    assert np.quantile(target[kept], 0.9) < 0.1
    _, target = held_out.draw(200, np.random.default_rng(0))
    assert 0.0 < np.isnan(target).mean() < 0.9


def test_the_adapted_stage_leaves_the_background_as_dark_as_before(magnitude, start):
    outcome = adapt(start, [(magnitude, 2)], 2, Settings(60, 2.0, "gaussian"))
    assert outcome.stage is not None
    before, after = (
        np.asarray(Upscaler([each]).upscale(magnitude, (1, 1, 2)).voxels)[
            np.hypot(*np.mgrid[-1:1:112j, -1:1:96j]) > 0.9
        ]
        for each in (KerasEngine(start), engine_of(outcome.stage))
    )
    # With targets as they are it would be as bright as 1.25 standard deviations.
    assert after.mean() == pytest.approx(before.mean(), abs=0.25 * DEVIATION)


def test_where_all_is_background_there_is_no_gain():
    low = np.random.default_rng(0).random((2, 40, 30), np.float32)
    chain = start_of(find_stage("fast_d_x2"), 2)
    sampler = PatchSampler([Pairs(low, np.full((2, 40, 60), np.nan, np.float32))], 2, (32, 24))
    assert level_of(started(chain), sampler, 0) == 0.0
