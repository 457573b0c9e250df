"""The chain that adaptation begins with is the stage itself, or the same at another factor."""

import numpy as np
import pytest

from sr_keras.adaptation.fitting import started, upsample
from sr_keras.adaptation.start import _phase_matrix, start_of
from sr_keras.engines import KerasEngine
from sr_keras.errors import StageError
from sr_keras.evaluation.metrics import psnr
from sr_keras.models.stages import find_stage
from sr_keras.volumes.resampling import downsample_volume, resample_axis

IMAGES = np.random.default_rng(0).random((2, 20, 16), np.float32)


@pytest.mark.parametrize("name", ["fast_d_x2", "fast_d_x4", "best_d_x2"])
def test_at_its_own_factor_it_is_the_stage(name):
    stage = find_stage(name)
    model = started(start_of(stage, stage.card.scale))
    np.testing.assert_allclose(upsample(model, IMAGES), KerasEngine(stage).run(IMAGES), atol=2e-6)


def test_phases_are_interpolated_between_the_centres_of_pixels():
    # Centres of 2 pixels in units of 4: 1/2 and 5/2, between the first two and the last two of 0, 1, 2, 3.
    np.testing.assert_allclose(_phase_matrix(4, 2).T, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    # Of 3 pixels: 1/6, 3/2, 17/6.
    np.testing.assert_allclose(
        _phase_matrix(4, 3).T, [[5 / 6, 1 / 6, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 1 / 6, 5 / 6]], rtol=1e-6
    )


@pytest.mark.parametrize("scale", [3, 5])
def test_at_another_factor_it_is_better_than_cubic_interpolation(sample, scale):
    truth = sample.voxels[60:100, :, : 100 // scale * scale].astype(np.float32) / 800
    truth = truth[..., : truth.shape[2] // scale * scale]
    low = downsample_volume(truth, (1, 1, scale))
    made = upsample(started(start_of(find_stage("fast_d_x4"), scale)), low)
    cubic = resample_axis(low, 2, truth.shape[2], 1 / scale)
    assert psnr(truth, made, data_range=1.0) > psnr(truth, cubic, data_range=1.0) + 0.5


def test_a_family_that_is_no_chain_is_refused():
    with pytest.raises(StageError, match="georgescu2020, cannot be adapted"):
        start_of(find_stage("georgescu2020_d_x2"), 2)
