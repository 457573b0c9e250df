"""The projection, where its answer is known: by least squares, by reducing again, by doing it twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.engines import KerasEngine
from sr_keras.inference import back_projection as consistency
from sr_keras.inference.back_projection import Projection, Residual, back_project, residual_of
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.resampling import cubic_matrix, downsample_volume
from sr_keras.volumes.volume import Volume

TRAINED = Upscaler([KerasEngine(stage) for stage in choose_stages(shipped_stages(), "georgescu2020").values()])
# Float32 keeps 24 bits; two passes over three axes lose three or four of them.
ROUNDING = 1e-6

factors = st.tuples(*[st.sampled_from([1, 2, 3, 4])] * 3)
shapes = st.tuples(*[st.integers(1, 7)] * 3)


def random_pair(shape, factors, seed=0):
    """Return an enlarged volume and a scan that have nothing to do with each other, of values around 1000."""
    generator = np.random.default_rng(seed)
    finer = np.multiply(shape, factors)
    return generator.normal(1000, 300, finer).astype(np.float32), generator.normal(1000, 300, shape).astype(np.float32)


@given(shape=shapes, factors=factors, seed=st.integers(0, 99))
def test_reduced_again_it_is_the_scan(shape, factors, seed):
    voxels, scan = random_pair(shape, factors, seed)
    back_project(voxels, scan, factors)
    np.testing.assert_allclose(downsample_volume(voxels, factors), scan, atol=3000 * ROUNDING)


@given(shape=shapes, factors=factors)
def test_a_consistent_volume_is_left_as_it_is_and_twice_is_once(shape, factors):
    voxels, _ = random_pair(shape, factors)
    once = voxels.copy()
    back_project(once, downsample_volume(voxels, factors), factors)
    np.testing.assert_allclose(once, voxels, atol=3000 * ROUNDING)
    _, scan = random_pair(shape, factors, seed=1)
    back_project(once, scan, factors)
    twice = once.copy()
    back_project(twice, scan, factors)
    np.testing.assert_allclose(twice, once, atol=3000 * ROUNDING)


@pytest.mark.parametrize("factors", [(2, 2, 1), (1, 1, 2), (2, 3, 2), (4, 1, 1)])
def test_it_is_the_nearest_of_the_consistent_volumes(factors):
    voxels, scan = random_pair((4, 3, 5), factors)
    matrices = [cubic_matrix(n * factor, n, factor) for n, factor in zip(scan.shape, factors, strict=True)]
    whole = np.kron(np.kron(matrices[0], matrices[1]), matrices[2])
    # lstsq gives the smallest of all changes that make up for the residual.
    change, *_ = np.linalg.lstsq(whole, scan.ravel() - whole @ voxels.ravel().astype(np.float64))
    nearest = voxels + change.reshape(voxels.shape)
    back_project(voxels, scan, factors)
    np.testing.assert_allclose(voxels, nearest, atol=3000 * ROUNDING)


def test_slabs_do_not_change_the_result(monkeypatch):
    voxels, scan = random_pair((9, 8, 7), (2, 3, 2))
    whole = voxels.copy()
    back_project(whole, scan, (2, 3, 2))
    monkeypatch.setattr(consistency, "SLAB_BYTES", 2 * voxels[0].nbytes)
    back_project(voxels, scan, (2, 3, 2))
    np.testing.assert_allclose(voxels, whole, atol=3000 * ROUNDING)


def test_the_residual_by_hand():
    # Reduced by 2, the constant 7 stays 7: the scan is 3 above it in one voxel of four, 1 below it in another.
    residual = residual_of(np.full((4, 4, 1), 7, np.float32), np.array([[[10], [7]], [[6], [7]]]), (2, 2, 1))
    np.testing.assert_allclose(residual[..., 0], [[3, 0], [-1, 0]], atol=1e-5)
    assert Residual.of(residual) == Residual(pytest.approx(np.sqrt(10 / 4)), pytest.approx(3))


@pytest.mark.parametrize(("unit", "said"), [("HU", "1.5 HU (root"), ("", "1.5 (root")])
def test_the_residual_in_words(unit, said):
    sentence = Projection(Residual(1.5, 20), Residual(0.0001, 0.001)).describe(unit)
    assert f"differed from the scan by {said} mean square; 20 at most)" in sentence
    assert sentence.endswith("before, by 0.0001 (0.001 at most) after.")


def test_it_is_never_farther_from_the_truth_where_the_scan_is_the_truth_reduced(sample):
    ground_truth = sample.voxels[60:108, 20:60, 40:72].astype(np.float32)
    scan = Volume(downsample_volume(ground_truth, (2, 2, 1)), np.eye(4))
    alone = TRAINED.upscale(scan, (2, 2, 1)).voxels
    projected = Upscaler(TRAINED.engines, data_consistency=True).upscale(scan, (2, 2, 1)).voxels
    assert np.linalg.norm(projected - ground_truth) < np.linalg.norm(alone - ground_truth)


def test_a_ramp_that_a_network_shifts_comes_back_to_its_place():
    ramp = (np.indices((32, 28, 24))[0] * 10 + 50).astype(np.float32)
    told = []
    alone, projected = (
        Upscaler(TRAINED.engines, data_consistency=data_consistency).upscale(
            Volume(ramp, np.eye(4)), (2, 2, 2), warn=told.append
        )
        for data_consistency in (False, True)
    )
    position = (np.arange(64) + 0.5) / 2 - 0.5
    inner = (slice(10, -10),) * 3
    shifts = [float((each.voxels / 10 - 5 - position[:, None, None])[inner].mean()) for each in (alone, projected)]
    assert abs(shifts[0]) > 0.01
    assert abs(shifts[1]) < 1e-4
    assert len(told) == 1
    assert told[0].startswith("Back-projection: the downsampled result differed from the scan by 0.")


def test_what_is_not_enlarged_is_not_projected():
    told = []
    volume = Volume(np.arange(1000.0).reshape(10, 10, 10), np.eye(4))
    Upscaler(TRAINED.engines, data_consistency=True).upscale(volume, (1, 1, 1), warn=told.append)
    assert told == []
