import numpy as np
import pytest

from sr_keras.evaluation import metrics
from sr_keras.training.losses import charbonnier, negative_psnr, psnr


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


def test_the_negative_psnr_falls_as_the_mean_psnr_of_the_scans_rises():
    # Two scans of two images each, with errors of 0.1 and 0.3, and of 0.01: 13.01 and 40 dB.
    ground_truth = np.zeros((4, 2, 2, 1), np.float32)
    predicted = ground_truth + np.reshape([0.1, 0.3, 0.01, 0.01], (4, 1, 1, 1)).astype(np.float32)
    losses = np.array(negative_psnr(2)(ground_truth, predicted))
    np.testing.assert_allclose(-losses / 0.005 * 10 / np.log(10), [13.01, 13.01, 39.96, 39.96], atol=0.01)
    each = np.array(negative_psnr()(ground_truth, predicted))
    np.testing.assert_allclose(-each / 0.005 * 10 / np.log(10), [20, 10.46, 39.96, 39.96], atol=0.01)
    assert negative_psnr(4)(ground_truth[:1], predicted[:1]).shape == (1,)
