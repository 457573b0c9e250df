"""The figures of a verification, by hand."""

import numpy as np
import pytest

from sr_keras.errors import ModelFileError
from sr_keras.evaluation.metrics import psnr
from sr_keras.export.verification import check, compare


def test_figures_of_four_pixels_worked_out_by_hand():
    ground_truth = np.array([[[0.0, 0.5], [0.5, 1.0]]], np.float32)
    reference = np.array([[[0.0, 0.5], [0.25, 1.0]]], np.float32)
    output = np.array([[[0.125, 0.5], [0.25, 0.5]]], np.float32)
    verification = compare([output], [reference], [ground_truth])
    assert verification.largest_error == 0.5
    assert verification.largest_relative_error == 0.5
    assert verification.psnr_to_reference == pytest.approx(-10 * np.log10((0.125**2 + 0.5**2) / 4))
    assert verification.psnr_to_ground_truth == pytest.approx(-10 * np.log10((0.125**2 + 0.25**2 + 0.5**2) / 4))
    assert verification.psnr_loss == pytest.approx(-10 * np.log10(0.25**2 / (0.125**2 + 0.25**2 + 0.5**2)))


def test_equal_images_have_no_finite_psnr():
    image = np.ones((1, 2, 2), np.float32)
    assert psnr(image, image, data_range=1) == float("inf")
    assert compare([image], [image], [image * 0.5]).psnr_to_reference is None


def test_a_nan_is_beyond_every_tolerance():
    image = np.ones((1, 2, 2), np.float32)
    verification = compare([image * np.nan], [image], [image])
    for precision in ("fp32", "fp16", "int8"):
        with pytest.raises(ModelFileError, match=f"^x .* nan.*, and {precision} allows at most"):
            check(verification, precision, "x")
