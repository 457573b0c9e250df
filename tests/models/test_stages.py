import json
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from sr_keras.engines import KerasEngine
from sr_keras.errors import OutputError, StageError, UnknownModelError
from sr_keras.files import file_sha256
from sr_keras.models.stages import find_stage, save_stage, shipped_stages

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
    upsampled = KerasEngine(find_stage(name)).run(image)[0, 20:-20, 20:-20]
    np.testing.assert_allclose(upsampled, 0.5, atol=0.01)


def test_a_stage_is_found_by_name_by_card_and_by_folder(copy):
    names = ("georgescu2020_hw_x2", str(copy / "stage.json"), str(copy))
    assert len({find_stage(name).card.weights_sha256 for name in names}) == 1


def test_names_that_are_none():
    names = ", ".join(shipped_stages())
    with pytest.raises(UnknownModelError, match=rf"^unet is not a model; name .* one of {names}\.$"):
        find_stage("unet")


def test_a_path_object_is_as_good_as_a_text(copy):
    assert find_stage(copy).card == find_stage(copy / "stage.json").card
    assert find_stage(copy).name == str(copy)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not valid JSON: Expecting property name"),
        (b"[" * 200_000, "is not valid JSON: nested too deeply; copy or export it again"),
        (b'"' + b"x" * (17 << 20) + b'"', "larger than 16.8 MB"),
        (b"\xff\xfe\xfd", "is not valid JSON: "),
        (b"[]", r"is not a stage's card \(TypeError"),
        (b"{}", r"is not a stage's card \(KeyError\('receptive_field_radius'\)\); copy it again"),
    ],
    ids=["half", "deep", "long", "bytes", "list", "empty"],
)
def test_a_damaged_card_is_refused_by_one_line_at_once(copy, content, message):
    (copy / "stage.json").write_bytes(content)
    start = time.process_time()
    with pytest.raises(StageError, match=rf"stage\.json .*{message}") as caught:
        find_stage(copy)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("family", "fast\x1b[2J"),
        ("family", None),
        ("stage", "hwd"),
        ("scale", "2"),
        ("scale", 0),
        ("scale", True),
        ("receptive_field_radius", [1]),
        ("receptive_field_radius", [1, -1]),
        ("modalities", "CT"),
        ("scores", [1]),
        ("trained_on", []),
        ("macs", -1),
        ("averaged", {"0" * 64: "half"}),
    ],
)
def test_a_card_with_an_impossible_field_is_refused(copy, name, value):
    rewrite(copy, **{name: value})
    with pytest.raises(StageError, match=rf"is not a stage's card \(ValueError\('invalid ({name}|mapping)'\)\)"):
        find_stage(copy)


def test_damaged_weights(copy):
    with (copy / "stage.weights.h5").open("r+b") as file:
        file.write(b"damage")
    with pytest.raises(StageError, match=r"^stage.weights.h5 is missing or has another SHA-256 than the card"):
        find_stage(str(copy)).network  # noqa: B018
    (copy / "stage.weights.h5").unlink()
    with pytest.raises(StageError, match="is missing or has another SHA-256"):
        find_stage(str(copy)).network  # noqa: B018


def test_weights_that_do_not_fit_their_configuration(copy):
    rewrite(copy, scale=4)
    with pytest.raises(StageError, match=r"does not fit the network on its card \(georgescu2020, hw, x4\)") as caught:
        find_stage(str(copy)).network  # noqa: B018
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_weights(copy):
    (copy / "stage.weights.h5").write_bytes(b"not HDF5")
    rewrite(copy, weights_sha256=file_sha256(copy / "stage.weights.h5"))
    with pytest.raises(StageError, match="^stage.weights.h5 does not fit the network on its card"):
        find_stage(str(copy)).network  # noqa: B018


def test_weights_that_may_not_fit_are_refused_before_hdf5_begins(tmp_path):
    stage, limit = find_stage("georgescu2020_hw_x2"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
    try:
        with pytest.raises(OutputError, match=r"may take .* kB, but there is room for 10\.0 kB\. Free space, or raise"):
            save_stage(stage.network, stage.card, tmp_path / "stage")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []
