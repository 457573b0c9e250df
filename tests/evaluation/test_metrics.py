import numpy as np
import pytest
import SimpleITK

from sr_keras.evaluation.metrics import measure, psnr, ssim


def test_psnr_by_hand():
    ground_truth = np.zeros((4, 4), np.float32)
    assert psnr(ground_truth, ground_truth + 0.1, data_range=1) == pytest.approx(20, abs=1e-5)
    assert psnr(ground_truth, ground_truth + 10, data_range=1000) == pytest.approx(40, abs=1e-5)
    assert psnr(ground_truth, ground_truth, data_range=1) == np.inf


def test_ssim_of_two_constants_by_hand():
    # Without variance only luminance counts: (2 * 0.5 * 0.6 + c) / (0.25 + 0.36 + c) with c = (0.01 * 1)^2.
    image = np.full((16, 16), 0.5, np.float32)
    assert ssim(image, image + np.float32(0.1), data_range=1) == pytest.approx((0.6 + 1e-4) / (0.61 + 1e-4), abs=1e-5)


def test_ssim_with_a_gaussian_window_equals_that_worked_out_with_simpleitk(sample):
    ground_truth = sample.voxels[:, 40, :].astype(np.float32)
    results = ground_truth + np.random.default_rng(0).normal(0, 20, ground_truth.shape).astype(np.float32)
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    kernel = SimpleITK.GetImageFromArray(np.outer(weights, weights) / weights.sum() ** 2)

    def mean(image):
        smooth = SimpleITK.Convolution(SimpleITK.GetImageFromArray(image.astype(np.float64)), kernel)
        return SimpleITK.GetArrayFromImage(smooth)

    x, y = mean(ground_truth), mean(results)
    xx, yy, xy = mean(ground_truth**2) - x * x, mean(results**2) - y * y, mean(ground_truth * results) - x * y
    c1, c2 = (0.01 * 1000) ** 2, (0.03 * 1000) ** 2
    index = (2 * x * y + c1) * (2 * xy + c2) / ((x * x + y * y + c1) * (xx + yy + c2))
    assert ssim(ground_truth, results, data_range=1000) == pytest.approx(index[5:-5, 5:-5].mean(), abs=1e-5)


def test_slices_are_averaged_and_the_volume_is_measured_as_one():
    ground_truth = np.zeros((16, 16, 16), np.float32)
    results = ground_truth.copy()
    results[..., :8], results[..., 8:] = 0.1, 0.01
    quality = measure(ground_truth, results, data_range=1, axis=2)
    assert quality.slice_psnr == pytest.approx((20 + 40) / 2, abs=1e-4)
    assert quality.volume_psnr == pytest.approx(-10 * np.log10((0.01 + 0.0001) / 2), abs=1e-4)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"same shape. Received: \(9, 9, 9\) and \(9, 9, 8\)"):
        measure(np.zeros((9, 9, 9)), np.zeros((9, 9, 8)), data_range=1, axis=0)
