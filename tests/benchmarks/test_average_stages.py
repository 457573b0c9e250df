"""The mean of the weights of two stages: `benchmarks/average_stages.py`."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sr_keras.evaluation.model_cards import card_text
from sr_keras.files import file_sha256
from sr_keras.models.cards import weights_path, write_card
from sr_keras.models.stages import find_stage

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "average_stages.py"


@pytest.fixture
def doubled(tmp_path):
    """The shipped stage, all of its weights twice as large."""
    stage = find_stage("fast_hw_x2")
    folder = tmp_path / "doubled"
    folder.mkdir()
    weights = weights_path(folder / "stage", stage.card)
    np.savez(weights, **{name: 2 * values for name, values in np.load(stage.weights).items()})
    write_card(replace(stage.card, weights_sha256=file_sha256(weights)), folder / "stage.json")
    return find_stage(str(folder))


def test_the_mean_has_the_weights_between(doubled, tmp_path):
    shipped = find_stage("fast_hw_x2")
    command = [sys.executable, str(SCRIPT), str(tmp_path / "mean"), "fast_hw_x2=3", f"{doubled.weights.parent}=1"]
    subprocess.run(command, check=True, capture_output=True)
    mean = find_stage(str(tmp_path / "mean"))
    arrays = np.load(mean.weights)
    for name, values in np.load(shipped.weights).items():
        # 3/4 of one and 1/4 of two; the fingerprints of the mixture are those of the first.
        assert arrays[name] == pytest.approx(values * (1.0 if name == "members" else 1.25), rel=2e-3, abs=1e-7)
    assert mean.card.averaged == {shipped.card.weights_sha256: 0.75, doubled.card.weights_sha256: 0.25}
    assert mean.card.scores == []
    wanted = f"0.75 of {shipped.card.weights_sha256[:12]} + 0.25 of {doubled.card.weights_sha256[:12]}"
    assert wanted in card_text(mean)
