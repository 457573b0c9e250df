import numpy as np
import pytest

from sr_keras.evaluation import metrics
from sr_keras.training.losses import charbonnier, psnr


def test_charbonnier_is_an_l1_that_is_smooth_at_zero():
    ground_truth = np.zeros((1, 1, 3, 1), np.float32)
    predicted = np.array([0.0, 0.001, 0.3], np.float32).reshape(ground_truth.shape)
    # sqrt(difference^2 + 0.001^2), by hand.
    np.testing.assert_allclose(
        np.ravel(charbonnier(ground_truth, predicted)), [0.001, 0.00141421, 0.30000167], rtol=1e-5
    )


def test_psnr_is_that_of_each_image_as_evaluation_measures_it():
    images, noise = np.random.default_rng(0).random((2, 3, 16, 12, 1), np.float32)
    predicted = images + noise * np.array([0.01, 0.1, 1.0], np.float32)[:, None, None, None]
    expected = [metrics.psnr(*pair, data_range=1) for pair in zip(images, predicted, strict=True)]
    assert np.asarray(psnr(images, predicted)) == pytest.approx(expected, abs=1e-4)
    assert expected[0] > expected[1] + 15 > expected[2] + 30
