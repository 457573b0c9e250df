import numpy as np
import pytest

from sr_keras.errors import VolumeError
from sr_keras.inference.output_grid import Grid
from sr_keras.report import layers
from sr_keras.report.boxes import lengths
from sr_keras.report.coding import ct_coding, unpacked
from sr_keras.report.layers import check_map, common_box, fit_layers
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.volume import Volume


def pair(shape=(24, 20, 16), factor=2, modality="MR"):
    """A ball of tissue in air, and its result."""
    grid = np.stack(np.meshgrid(*(np.arange(length) for length in shape), indexing="ij"), axis=-1)
    ball = np.linalg.norm(grid - np.array(shape) / 2, axis=-1) < min(shape) / 3
    voxels = np.where(ball, 500, -1000 if modality == "CT" else 0).astype(np.int16)
    fine = voxels.repeat(factor, 0).repeat(factor, 1).repeat(factor, 2)
    affine = np.diag([1.0, 1, 2, 1])
    scan = Volume(voxels, affine, modality=modality, source="scan")
    return scan, Volume(fine, rescaled_affine(affine, (1 / factor,) * 3), modality=modality, source="result")


def test_scan_result_and_maps_are_cut_to_one_box():
    scan, result = pair()
    maps = {"uncertainty": result.with_voxels(np.abs(result.voxels) * 0.1), "residual": scan}
    found = fit_layers(scan, result, maps)
    i, j, k = found.layers["scan"].shape
    assert found.share == 1.0
    assert found.layers["result"].shape == (2 * i, 2 * j, 2 * k)
    # A map that is finer than the scan is halved, one on the grid of the scan is not.
    assert found.layers["uncertainty"].shape == found.layers["residual"].shape == (i, j, k)
    assert found.size == (i, j, 2 * k)
    assert found.step == (0.5, 0.5, 1.0)
    assert found.layers["residual"].range == (-500, 500)
    assert found.layers["uncertainty"].range == pytest.approx((0, 50))
    codes = unpacked(found.layers["scan"].codes, (i, j, k))
    assert codes.max() - codes.min() > 200


def test_ct_is_shown_in_a_soft_tissue_window():
    found = fit_layers(*pair(modality="CT"), {})
    layer = found.layers["result"]
    assert layer.range == (-160, 240)
    assert layer.values == ct_coding().values
    values = np.array(layer.values)[unpacked(layer.codes, layer.shape)]
    assert set(np.unique(values)) <= {-1003, -996, -1010, 496, 500, 504, 508, 512} | set(
        values[np.abs(values + 1000) < 9]
    )


@pytest.mark.parametrize("limit", ["MOST_VOXELS", "MOST_CHARACTERS"])
def test_a_page_that_would_be_too_large_shows_less(monkeypatch, limit):
    scan, result = pair()
    noise = np.random.default_rng(0).normal(0, 9, result.shape)
    result = result.with_voxels((result.voxels + noise).astype(np.float32))
    monkeypatch.setattr(layers, limit, 3000)
    found = fit_layers(scan, result, {})
    assert 0.05 < found.share < 0.5
    assert sum(np.prod(each.shape) for each in found.layers.values()) <= layers.MOST_VOXELS
    assert sum(len(each.codes) for each in found.layers.values()) <= layers.MOST_CHARACTERS
    assert found.layers["result"].shape == tuple(2 * length for length in found.layers["scan"].shape)


def test_a_result_that_lies_elsewhere_is_refused():
    scan, result = pair()
    away = result.affine.copy()
    away[0, 3] += 500
    with pytest.raises(VolumeError, match=r"^result does not lie over scan; name the scan that it was made of\.$"):
        fit_layers(scan, result.with_voxels(result.voxels, away), {})


def test_a_result_of_a_part_leaves_the_rest_of_the_scan_out():
    scan, result = pair()
    part = result.with_voxels(result.voxels[:, :, 8:16])
    shifted = part.affine.copy()
    shifted[:3, 3] += shifted[:3, 2] * 8
    box = common_box((slice(0, 24), slice(0, 20), slice(0, 16)), scan, part.with_voxels(part.voxels, shifted))
    assert lengths(box) == (24, 20, 4)
    assert box[2] == slice(4, 8)


def test_a_map_must_cover_a_grid():
    scan, result = pair()
    grid = Grid(result.shape, result.affine, "result")
    check_map(result, grid)
    check_map(scan, grid)
    with pytest.raises(VolumeError, match=r"^result does not lie over result; name the map that was made with it\.$"):
        check_map(result.with_voxels(result.voxels[:-3]), grid)
