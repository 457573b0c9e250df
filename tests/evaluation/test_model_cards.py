"""The readable card: its figures by hand, and every fact that the card holds."""

from dataclasses import replace

import pytest

from sr_keras.evaluation.model_cards import card_text, gain, gain_cell, training_command
from sr_keras.models.cards import StageCard
from sr_keras.models.stages import TrainedStage, shipped_stages
from sr_keras.training.configuration import read_configuration

STAGE = shipped_stages()["georgescu2020_hw_x2"]


def row(scan, modality, method, psnr, ssim):
    return {
        "scan": scan,
        "modality": modality,
        "task": "in-plane",
        "method": method,
        "slice_psnr": psnr,
        "slice_ssim": ssim,
        "data_range": 1000.0,
        "slices": 10,
    }


SCORES = [
    row("a.nii", "MR", "lanczos", 30.0, 0.90),
    row("a.nii", "MR", "georgescu2020", 32.0, 0.94),
    row("b.nii", "MR", "lanczos", 20.0, 0.80),
    row("b.nii", "MR", "georgescu2020", 23.0, 0.86),
    row("c.nii", "CT", "lanczos", 35.0, 0.95),
]
CARD = replace(STAGE.card, scores=SCORES)


def test_the_gain_is_the_difference_of_the_means_over_the_scans_of_a_modality():
    assert gain(CARD, "MR") == pytest.approx((2.5, 0.05))
    assert gain_cell(CARD, "MR") == "+2.50 dB / +0.0500"
    assert gain(CARD, "CT") is None
    assert gain_cell(CARD, "CT") == "-"


def test_the_card_says_all_that_it_holds():
    card = replace(
        CARD,
        trained_on={"x.nii": "0" * 64},
        validated_on={"y.nii": "1" * 64},
        data={"x.nii": {"what": "brain", "source": "a collection", "licence": "CC BY 4.0"}},
        training_seconds=1234.0,
    )
    text = card_text(TrainedStage(STAGE.name, card, STAGE.weights), {"a slice": "47 ms"})
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for expected in (
        "## georgescu2020_hw_x2",
        "| upsamples | in-plane, x2 |",
        "| selected by | `--model georgescu2020_hw_x2`, or `--quality georgescu2020` with its family |",
        "| parameters | 57,573 |",
        "| MACs per low-resolution pixel | 114,336 |",
        "| training time | 21 minutes |",
        "| a slice | 47 ms |",
        "| a.nii | MR | 10 | 1000 | 30.00 / 0.9000 | 32.00 / 0.9400 |",
        "| c.nii | CT | 10 | 1000 | 35.00 / 0.9500 | - |",
        "| x.nii | brain | a collection | CC BY 4.0 |",
        "The best epoch was chosen on y.nii.",
        "sr-keras train georgescu2020_hw_x2 -o runs/georgescu2020_hw_x2 \\",
        "network: {family: georgescu2020, stage: hw, scale: 2}",
    ):
        assert expected in lines
    assert card.weights_sha256 in text


def test_what_is_not_known_is_said_to_be_so():
    bare = replace(CARD, scores=[], data={}, validated_on={}, training_seconds=None)
    text = " ".join(card_text(TrainedStage("run", bare, STAGE.weights)).split())
    assert "in-plane x2: not measured." in text
    assert "| training time | not recorded |" in text
    assert "best epoch" not in text


def test_a_configuration_of_ones_own_is_named_as_a_file():
    other = replace(CARD, configuration=CARD.configuration | {"patches": {"height": 32, "width": 32, "batch": 32}})
    assert training_command(other).startswith("sr-keras train configuration.yaml -o")


def test_a_stage_that_was_trained_on_is_not_trained_again_by_its_command():
    again = "To train it again on the same scans"
    further = [name for name, stage in shipped_stages().items() if again not in card_text(stage)]
    assert further == ["best_d_x2", "best_hw_x2", "fast_hw_x2"]
    stage = shipped_stages()["fast_hw_x2"]
    text = " ".join(card_text(stage).split())
    assert "| training time of the last round | 11 minutes |" in text
    assert f"began at weights that do not ship (SHA-256 `{stage.card.start}`); run now, it trains" in text
    # A run that began at what ships.
    of_a_run = replace(stage, card=replace(stage.card, start=stage.card.weights_sha256))
    text = card_text(of_a_run)
    assert again in text
    assert "last round" not in text


@pytest.mark.parametrize("stage", shipped_stages().values(), ids=lambda stage: stage.name)
def test_shipped_cards_are_complete(stage):
    card = stage.card
    assert min(card.parameters, card.macs, card.training_seconds) > 0
    assert set(card.data) == set(card.trained_on)
    assert {fact for scan in card.data.values() for fact in scan} == {"what", "source", "licence"}
    assert not set(card.trained_on) & set(card.validated_on)
    assert {method["method"] for method in card.scores} == {"nearest", "linear", "cubic", "lanczos", card.family}
    assert min(gain(card, "CT") + gain(card, "MR")) > 0
    assert read_configuration(card.name)
    assert training_command(card).startswith(f"sr-keras train {card.name} -o runs/{card.name} \\\n")


def test_an_older_card_still_loads():
    required = (
        "family",
        "stage",
        "scale",
        "receptive_field_radius",
        "modalities",
        "trained_on",
        "scores",
        "configuration",
        "versions",
    )
    card = StageCard.parse({name: getattr(CARD, name) for name in required})
    assert (card.receptive_field_radius, card.parameters, card.training_seconds, card.data) == ((8, 8), 0, None, {})
