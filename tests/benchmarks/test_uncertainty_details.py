"""Details that estimators learn from are where they are said to be, and of the contrast that was asked for."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

CARD = SimpleNamespace(stage="hw", scale=2)


@pytest.fixture(scope="module")
def details():
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module("uncertainty_details")
    sys.path.remove(folder)


@pytest.fixture
def flat():
    tissue = np.zeros((2, 96, 96), bool)
    tissue[:, 20:80, 20:80] = True
    return np.full((2, 96, 96), 0.5, np.float32), tissue


def test_details_stand_out_by_contrasts_within_their_range(details, flat):
    truth, tissue = flat
    changed, found = details.put_in(truth, tissue, CARD, np.random.default_rng(0))
    contrast = np.abs(changed - truth)[tuple(found.where.T)]
    assert len(found.where) > 30
    assert tissue[tuple(found.where.T)].all()
    # Neighbours overlap by a little where the grid lets them come close.
    assert np.quantile(contrast, [0.05, 0.95]) == pytest.approx([0.03, 0.12], rel=0.3)
    assert {*np.sign((changed - truth)[tuple(found.where.T)])} == {-1.0, 1.0}
    groups = np.searchsorted(details.PARTED, contrast)
    assert np.mean(groups == found.groups // 2) > 0.95


def test_no_intensity_falls_below_the_floor(details, flat):
    truth, tissue = flat
    changed, found = details.put_in(truth * 0.1, tissue, CARD, np.random.default_rng(0))
    assert changed.min() >= 0
    assert (np.abs(changed - 0.05)[tuple(found.where.T)] > 0.02).all()


def test_what_stands_out_is_taken_out(details, flat):
    truth, tissue = flat
    truth[0, 40, 50] = 0.8
    changed, found = details.taken_out(truth, tissue, CARD, np.random.default_rng(0))
    assert found.where.tolist() == [[0, 40, 50]]
    # A blob of the width that was drawn may change its neighbours; what is left of the pixel is what lies around it.
    assert 0.5 < changed[0, 40, 50] < 0.6
    np.testing.assert_allclose(changed[1], 0.5, atol=1e-6)


def test_a_blob_is_half_as_high_half_its_width_away(details):
    image = details.blobs((1, 21, 21), np.array([[0, 10, 10]]), 6.0)[0]
    assert image[10, 10] == 1
    assert image[10, 13] == pytest.approx(0.5, abs=0.02)
    assert image[7, 10] == pytest.approx(0.5, abs=0.02)
