import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.errors import VolumeError
from sr_keras.volumes.normalization import Normalization, normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.volume import Volume


def volume(values, modality=None):
    return Volume(np.asarray(values).reshape(-1, 1, 1), np.eye(4), modality)


def test_ct_scale():
    normalization = normalization_of(volume(np.arange(-1024, 8977, dtype=np.int16)))
    # 10,001 values one apart: the 99.95th percentile lies 5 below the largest.
    assert (normalization.floor, normalization.ceiling) == (-1024, pytest.approx(8971))


def test_mr_scale():
    normalization = normalization_of(volume(np.arange(1001)))
    assert (normalization.floor, normalization.ceiling) == (0, pytest.approx(999))


def test_an_mri_with_values_below_zero_begins_there():
    assert normalization_of(volume([-3.5, 0, 1, 2], "MR")).floor == -3.5


@pytest.mark.parametrize("value", [-1024, 0, 7])
def test_a_scan_without_contrast_has_a_range(value):
    assert normalization_of(volume(np.full(10, value))).data_range >= 1


@given(st.lists(st.integers(-3000, 15000), min_size=5, max_size=50))
def test_it_is_undone_without_clipping(values):
    scan = volume(np.array(values, np.int16))
    normalization = normalization_of(scan)
    results = normalization.invert(normalization.apply(scan.voxels))
    np.testing.assert_array_equal(np.rint(results), scan.voxels)


def test_tissue_of_a_ct_and_of_an_mri():
    ct = volume(np.array([-1000, -600, -400, 40], np.int16))
    assert tissue_mask(ct, normalization_of(ct)).ravel().tolist() == [False, False, True, True]
    mri = volume([0.0, 4, 6, 100])
    assert tissue_mask(mri, normalization_of(mri)).ravel().tolist() == [False, False, True, True]


def test_slices_with_tissue():
    mask = np.zeros((10, 10, 4), bool)
    mask[0, 0, 1] = True
    mask[0, :2, 2] = True
    mask[:, :, 3] = True
    assert tissue_slices(mask, 2).tolist() == [2, 3]
    assert tissue_slices(mask, 0).tolist() == list(range(10))


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_results_beyond_float32_are_refused(value):
    with pytest.raises(VolumeError, match="beyond what float32 holds; rescale the scan's values first"):
        Normalization(0.0, 1000.0).invert(np.array([0.0, value], np.float32))
