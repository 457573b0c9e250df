import json
from pathlib import Path

import numpy as np
import pytest

from sr_keras.engines import KerasEngine, load_engine
from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.evaluation.protocol import (
    check_tasks,
    compare_methods,
    evaluate_scans,
    middle_box,
    possible_tasks,
    score,
    task_factors,
)
from sr_keras.evaluation.tables import print_scores, score_cell, score_rows, write_scores
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.registry import by_family, choose_stages
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.volume import Volume

SHIPPED = choose_stages(shipped_stages(), "georgescu2020")
TRAINED = {"trained": Upscaler([KerasEngine(stage) for stage in SHIPPED.values()])}
FAMILIES = {
    family: Upscaler([KerasEngine(stage) for stage in members.values()])
    for family, members in by_family(shipped_stages()).items()
}


@pytest.fixture(scope="module")
def crop(sample):
    """49x41x33 voxels of the sample: lengths that no scale divides."""
    return Volume(sample.voxels[60:109, 20:61, 40:73], sample.affine, source="crop")


@pytest.mark.parametrize(
    ("task", "axis", "factors"),
    [("in-plane", 2, (2, 2, 1)), ("in-plane", 0, (1, 2, 2)), ("through-plane", 1, (1, 2, 1)), ("3-D", 0, (2, 2, 2))],
)
def test_factors_of_a_task(task, axis, factors):
    assert task_factors(task, 2, axis) == factors


@pytest.mark.parametrize("task", ["in-plane", "through-plane", "3-D"])
def test_networks_beat_interpolation_on_a_scan_they_have_not_seen(crop, task):
    comparison = compare_methods(crop, task, 2, FAMILIES)
    assert comparison.ground_truth.shape == tuple(
        length // factor * factor for length, factor in zip(crop.shape, comparison.factors, strict=True)
    )
    psnr = {entry.method: entry.quality.slice_psnr for entry in score(comparison)}
    assert sorted(psnr, key=psnr.__getitem__)[:4] == ["nearest", "linear", "cubic", "lanczos"]
    assert min(psnr[family] for family in FAMILIES) > psnr["lanczos"] + 0.5


def test_a_scan_can_be_downsampled_in_another_way(crop):
    def every_second(voxels, factors):
        return voxels[tuple(slice(None, None, factor) for factor in factors)]

    comparison = compare_methods(crop, "in-plane", 2, {}, downsampling=every_second)
    np.testing.assert_array_equal(comparison.results["nearest"][::2, ::2], comparison.ground_truth.voxels[::2, ::2])


def test_the_middle_stays_in_its_place():
    box = middle_box(Volume(np.arange(4 * 9 * 6).reshape(4, 9, 6), np.diag([1.0, 2, 3, 1])), (5, 5, 3))
    assert box.shape == (4, 5, 3)
    assert box.voxels[0, 0, 0] == 2 * 6 + 1
    np.testing.assert_array_equal(box.affine[:3, 3], [0, 4, 3])


def test_tasks_are_those_that_all_models_have_stages_for():
    assert possible_tasks(TRAINED, 2) == ["in-plane", "through-plane", "3-D"]
    assert possible_tasks(TRAINED, 3) == []
    alone = {"hw": Upscaler([KerasEngine(SHIPPED["georgescu2020_hw_x2"])])}
    assert possible_tasks(alone | TRAINED, 2) == ["in-plane"]
    assert possible_tasks({}, 2) == ["in-plane", "through-plane", "3-D"]


def test_slices_without_tissue_are_left_out_and_counted(crop):
    voxels = crop.voxels.copy()
    voxels[:, :, :4] = 0
    entries = score(compare_methods(Volume(voxels, crop.affine), "in-plane", 2, {}))
    assert {(entry.slices, entry.slices_left_out) for entry in entries} == {(29, 4)}


def test_a_scan_without_tissue_is_refused():
    empty = Volume(np.zeros((16, 16, 16)), np.eye(4), source="empty")
    with pytest.raises(VolumeError, match=r"empty shows no tissue; leave it out"):
        score(compare_methods(empty, "in-plane", 2, {}))


def test_few_slices_have_no_ssim_of_the_volume_and_small_ones_none_at_all(crop, capsys):
    comparison = compare_methods(Volume(crop.voxels[..., :8], crop.affine), "in-plane", 2, {})
    rows = score_rows(comparison, score(comparison))
    assert {row["volume_ssim"] for row in rows} == {None}
    print_scores(rows)
    assert capsys.readouterr().out.count(" / - ") == 4
    small = Volume(crop.voxels[:10], crop.affine, source="small")
    with pytest.raises(VolumeError, match=r"^small of 10x40x33 voxels has slices smaller than .* SSIM, 11x11"):
        score(compare_methods(small, "in-plane", 2, {}))


def test_the_table_says_what_the_figures_are_relative_to(crop, capsys):
    comparison = compare_methods(crop, "in-plane", 2, {})
    rows = score_rows(comparison, score(comparison))
    print_scores(rows)
    printed = capsys.readouterr().out
    assert f"data_range {rows[0]['data_range']:g}, 33 slices with tissue compared, 0 without tissue left out" in printed
    for figures in ("slice", "volume"):
        cells = [f"{row[f'{figures}_psnr']:.2f} / {row[f'{figures}_ssim']:.4f}" for row in rows]
        assert f"| crop | in-plane | {' | '.join(cells)} |" in " ".join(printed.split())


@pytest.mark.parametrize(
    ("scale", "tasks", "message"),
    [
        (1, ["in-plane", "through-plane", "3-D"], "no stages for a scale of 1; use 2 or 4 or 8"),
        (0, ["in-plane"], "no stages for a scale of 0"),
        (3, ["3-D"], "no stages for a scale of 3; use 2"),
    ],
)
def test_scales_without_stages_are_refused_with_those_at_hand(scale, tasks, message):
    with pytest.raises(ConfigurationError, match=message):
        check_tasks(TRAINED, scale, tasks)
    assert check_tasks(TRAINED, 2) == ["in-plane", "through-plane", "3-D"]


@pytest.mark.parametrize("task", ["through-plane", "3-D"])
def test_a_task_without_its_stage_is_refused_with_the_kind_that_is_missing(task):
    message = f"no d stage for a scale of 2, for {task}; use --task in-plane, or name a d stage too"
    with pytest.raises(ConfigurationError, match=message):
        check_tasks({"fast": Upscaler([load_engine("fast_hw_x2", "onnx")])}, 2, [task])


@pytest.mark.parametrize("scale", [1, 0, -2])
def test_a_comparison_needs_a_factor(crop, scale):
    with pytest.raises(ConfigurationError, match=f"A scale must be at least 2, not {scale}"):
        compare_methods(crop, "in-plane", scale, {})


def test_one_scan_that_fails_does_not_lose_the_others(crop):
    scans = {"bad": Volume(np.zeros((16, 16, 16)), np.eye(4), source="empty"), "good": crop}
    failed, reports = [], []
    results = list(
        evaluate_scans(
            [Path(name) for name in scans],
            lambda path: scans[str(path)],
            ["in-plane", "through-plane"],
            2,
            TRAINED,
            report=lambda *news: reports.append(news),
            fail=lambda path, error: failed.append((str(path), str(error))),
        )
    )
    assert failed == [("bad", "empty shows no tissue; leave it out.")]
    assert [comparison.task for comparison, _ in results] == ["in-plane", "through-plane"]
    descriptions, done, totals = zip(*reports, strict=True)
    assert set(totals) == {4}
    assert list(done) == sorted(done)
    assert done[-1] == 4
    assert descriptions[-1].startswith("good, through-plane, trained, ")


def test_what_equals_the_ground_truth_is_null_in_json(tmp_path):
    # Nearest neighbours give blocks of equal voxels back, without any error.
    blocks = np.kron(np.random.default_rng(0).integers(1, 9, (8, 8, 12)), np.ones((2, 2, 1))).astype(np.float32)

    def every_second(voxels, factors):
        return voxels[:: factors[0], :: factors[1]]

    comparison = compare_methods(Volume(blocks, np.eye(4)), "in-plane", 2, {}, downsampling=every_second)
    rows = score_rows(comparison, score(comparison))
    assert rows[0]["method"] == "nearest"
    assert rows[0]["slice_psnr"] == np.inf
    assert score_cell(rows[0]) == "inf / 1.0000"
    write_scores(rows, tmp_path / "scores.json")

    def refuse(name):
        raise ValueError(name)

    with pytest.raises(OutputError, match=r"scores.json exists; use --force to overwrite"):
        write_scores([], tmp_path / "scores.json", force=False)
    read = json.loads((tmp_path / "scores.json").read_text(), parse_constant=refuse)
    assert read[0]["slice_psnr"] is None
    assert read[1]["slice_psnr"] == rows[1]["slice_psnr"]
