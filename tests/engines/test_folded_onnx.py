import shutil

import numpy as np
import pytest

from sr_keras import KerasEngine, find_stage, load_engine, shipped_stages
from sr_keras.engines.folded_onnx import FoldedOnnx, flattened, numbered
from sr_keras.engines.loading import shipped_onnx
from sr_keras.errors import ModelFileError
from sr_keras.networks.folding import fold

CONDITIONAL = [name for name, stage in shipped_stages().items() if stage.conditional]
SIZES = {"hw": (2, 20, 24), "d": (2, 20, 12)}


def images(stage):
    return np.random.default_rng(0).random(SIZES[stage.card.stage], np.float32)


def another_scan(stage):
    """The description of a scan that is not that of the card, within the mixture."""
    members = stage.conditional_weights.members
    return np.append(members[7], np.float32(0.25))


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_file_folded_for_a_scan_gives_what_keras_gives(name):
    stage, description = find_stage(name), another_scan(find_stage(name))
    expected = KerasEngine(stage.for_scan(description)).run(images(stage))
    default, folded = load_engine(name, "onnx"), load_engine(name, "onnx").for_scan(description)
    assert folded.run(images(stage)) == pytest.approx(expected, abs=1e-5)
    assert np.abs(default.run(images(stage)) - expected).max() > 1e-4
    assert folded.card.description == pytest.approx(description.tolist())


@pytest.mark.parametrize("name", CONDITIONAL)
def test_for_the_scan_of_its_card_a_file_is_what_it_is(name):
    stage = find_stage(name)
    folded = FoldedOnnx.read(shipped_onnx(stage), stage.conditional_weights)
    content = shipped_onnx(stage).read_bytes()
    assert folded.content_for(content, np.asarray(stage.card.description, np.float32)) == content


def test_numbers_are_their_places():
    stage = find_stage(CONDITIONAL[0])
    kernels = fold(stage.conditional_weights, np.asarray(stage.card.description, np.float32))
    assert flattened(numbered(kernels)).tolist() == list(range(1, flattened(kernels).size + 1))


def test_without_its_places_a_file_is_refused(tmp_path):
    stage = find_stage(CONDITIONAL[0])
    copy = shutil.copy(shipped_onnx(stage), tmp_path / "model.onnx")
    with pytest.raises(ModelFileError, match="model.places.npz is missing or damaged; install sr_keras again.$"):
        FoldedOnnx.read(copy, stage.conditional_weights)
    copy.with_suffix(".places.npz").write_bytes(b"not an archive")
    with pytest.raises(ModelFileError, match="model.places.npz is missing or damaged"):
        FoldedOnnx.read(copy, stage.conditional_weights)
