import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sr_keras.engines import KerasEngine
from sr_keras.errors import StageError
from sr_keras.files import file_sha256
from sr_keras.models.stages import find_stage, shipped_stages

WEIGHTS = Path(__file__).parents[2] / "sr_keras" / "weights"


@pytest.fixture
def copy(tmp_path):
    """A copy of a shipped stage that can be spoilt."""
    for suffix in (".json", ".weights.h5"):
        shutil.copy(WEIGHTS / f"georgescu2020_hw_x2{suffix}", tmp_path / f"stage{suffix}")
    return tmp_path


def rewrite(copy, **values):
    """Change fields of the copied card."""
    card = json.loads((copy / "stage.json").read_text())
    (copy / "stage.json").write_text(json.dumps(card | values))


@pytest.mark.parametrize("name", shipped_stages())
def test_shipped_stages_say_what_they_are(name):
    card = shipped_stages()[name].card
    assert card.name == name
    assert set(card.modalities) == {"CT", "MR"}
    assert card.trained_on


@pytest.mark.parametrize("name", shipped_stages())
def test_shipped_stages_load_and_keep_a_flat_image_flat(name):
    image = np.full((1, 40, 40), 0.5, np.float32)
    enlarged = KerasEngine(find_stage(name)).run(image)[0, 20:-20, 20:-20]
    np.testing.assert_allclose(enlarged, 0.5, atol=0.01)


def test_a_stage_is_found_by_name_by_card_and_by_folder(copy):
    names = ("georgescu2020_hw_x2", str(copy / "stage.json"), str(copy))
    assert len({find_stage(name).card.weights_sha256 for name in names}) == 1


def test_names_that_are_none():
    with pytest.raises(StageError, match=rf"one of {', '.join(shipped_stages())}\. Received: unet"):
        find_stage("unet")


def test_a_damaged_card(copy):
    (copy / "stage.json").write_text("{")
    with pytest.raises(
        StageError, match=r"card must be JSON with the fields that save_stage writes. Received: .*stage.json"
    ):
        find_stage(str(copy))


def test_damaged_weights(copy):
    with (copy / "stage.weights.h5").open("r+b") as file:
        file.write(b"damage")
    with pytest.raises(StageError, match=r"Received: stage.weights.h5, which is missing or has another SHA-256"):
        find_stage(str(copy)).network  # noqa: B018
    (copy / "stage.weights.h5").unlink()
    with pytest.raises(StageError, match="which is missing or has another SHA-256"):
        find_stage(str(copy)).network  # noqa: B018


def test_weights_that_do_not_fit_their_configuration(copy):
    rewrite(copy, scale=4)
    with pytest.raises(StageError, match=r"fit the configuration on their card \(georgescu2020, hw, x4\)") as caught:
        find_stage(str(copy)).network  # noqa: B018
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_weights(copy):
    (copy / "stage.weights.h5").write_bytes(b"not HDF5")
    rewrite(copy, weights_sha256=file_sha256(copy / "stage.weights.h5"))
    with pytest.raises(StageError, match="Received: stage.weights.h5, which does not"):
        find_stage(str(copy)).network  # noqa: B018
