"""The stages that each family ships, the commands that use them, and the errors where one is missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import write_zoo

from sr_keras.cli import main
from sr_keras.errors import StageError
from sr_keras.models import stages
from sr_keras.models.registry import DEFAULT_FAMILY, by_family, choose_stages, modality_warning
from sr_keras.models.stages import SHIPPED, TrainedStage, shipped_stages
from sr_keras.volumes.volume import Volume

CARD = shipped_stages()["georgescu2020_hw_x2"].card
FAMILIES = ("fast", "georgescu2020", "best")


def zoo_of(*names):
    """Return stages that consist of a card only."""
    found = {}
    for name in names:
        family, kind, scale = name.rsplit("_", 2)
        card = replace(CARD, family=family, stage=kind, scale=int(scale[1:]))
        found[name] = TrainedStage(name, card, Path("none"))
    return found


COMPLETE = zoo_of(*(f"{family}_{kind}_x{scale}" for family in FAMILIES for kind in ("d", "hw") for scale in (2, 4)))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_one_stage_of_each_kind_and_scale(family):
    assert list(choose_stages(COMPLETE, family)) == [f"{family}_{rest}" for rest in ("d_x2", "d_x4", "hw_x2", "hw_x4")]


def test_a_scale_that_a_family_does_not_have_is_made_by_the_default_family():
    stages = {name: stage for name, stage in COMPLETE.items() if name not in ("best_hw_x4", "best_d_x4")}
    assert set(choose_stages(stages, "best")) == {"best_d_x2", "best_hw_x2", "fast_d_x4", "fast_hw_x4"}


def test_a_family_without_a_stage_is_refused():
    with pytest.raises(StageError, match=r"^No hw or d stage of best ships; name the stages with --model\.$"):
        choose_stages(zoo_of("fast_hw_x2", "fast_d_x2"), "best")
    with pytest.raises(StageError, match=r"No d stage of fast ships; "):
        choose_stages(zoo_of("fast_hw_x2", "fast_hw_x4"), "fast")


def test_the_default_ships():
    assert choose_stages(shipped_stages()) == choose_stages(shipped_stages(), DEFAULT_FAMILY)


def test_families_are_kept_apart():
    assert {family: len(members) for family, members in by_family(COMPLETE).items()} == dict.fromkeys(FAMILIES, 4)


def test_every_shipped_stage_is_named_after_what_it_is():
    for name, stage in shipped_stages().items():
        assert name == stage.name == stage.card.name


def test_all_that_ships_takes_less_than_20_mb():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 20e6


def test_a_modality_that_a_stage_was_not_trained_on_is_warned_of():
    scan = Volume(np.zeros((4, 4, 4), np.int16), np.eye(4), modality="CT", source="chest.nii")
    both, alone = replace(CARD, modalities=["CT", "MR"]), replace(CARD, family="mine", modalities=["MR"])
    assert modality_warning(scan, [both]) == ""
    assert modality_warning(scan, [both, alone]).startswith(
        "Warning: mine_hw_x2 was trained on MR only, not on CT; the result"
    )


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A zoo of two families where the package's would be, whose networks are those of the reference."""
    monkeypatch.setattr(stages, "SHIPPED", write_zoo(tmp_path / "zoo", "fast_hw_x2", "fast_d_x2", "best_hw_x2"))
    monkeypatch.setattr("sr_keras.engines.loading.SHIPPED", tmp_path / "zoo")
    return tmp_path / "zoo"


def run(*arguments, expect=0):
    """Run a command in this process; return its result."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result


@pytest.mark.usefixtures("zoo")
def test_predict_takes_a_quality_or_a_model(small_scan, tmp_path):
    out = tmp_path / "out.nii"
    run("predict", small_scan, "-o", out, "--quality", "fast")
    assert out.exists()
    refused = run("predict", small_scan, "-o", tmp_path / "no.nii", "--quality", "best", expect=1)
    assert "No d stage of best ships; name" in refused.stderr
    both = ("--quality", "fast", "--model", "fast_hw_x2")
    assert (
        "Give --model or --quality, not both"
        in run("predict", small_scan, "-o", tmp_path / "no.nii", *both, expect=2).stderr
    )
    assert not (tmp_path / "no.nii").exists()


def test_predict_warns_of_a_modality_that_a_stage_was_not_trained_on(small_scan, tmp_path, monkeypatch):
    zoo = write_zoo(tmp_path / "zoo", "fast_hw_x2", "fast_d_x2", modalities=["MR"])
    monkeypatch.setattr(stages, "SHIPPED", zoo)
    monkeypatch.setattr("sr_keras.engines.loading.SHIPPED", zoo)
    arguments = ("--quality", "fast", "--scale", "2x2x1", "--modality")
    strange = run("predict", small_scan, "-o", tmp_path / "ct.nii", *arguments, "ct")
    # The d stage has nothing to do at this scale.
    assert "fast_hw_x2 was trained on MR only, not on CT" in strange.stderr
    assert "was trained on" not in run("predict", small_scan, "-o", tmp_path / "mr.nii", *arguments, "mr").stderr


@pytest.mark.usefixtures("zoo")
def test_evaluate_compares_all_families_in_the_tasks_that_all_can_do(small_scan):
    printed = run("evaluate", small_scan).stdout
    assert "| best | fast |" in " ".join(printed.split())
    assert "in-plane" in printed
    assert "through-plane" not in printed


def test_models_lists_each_and_prints_a_card(zoo):
    lines = run("models").stdout.splitlines()
    assert [line.split()[1] for line in lines[2:]] == ["best_hw_x2", "fast_d_x2", "fast_hw_x2"]
    assert "| fast_d_x2  | through-plane | x2" in lines[3]
    card = run("models", "best_hw_x2").stdout
    assert card.startswith("## best_hw_x2\n")
    assert "`--quality best` with its family" in card
    assert run("models", zoo / "fast_d_x2.json").stdout.startswith("## fast_d_x2\n")
    assert ".json file or one of best_hw_x2, fast_d_x2, fast_hw_x2." in run("models", "unet", expect=2).stderr
