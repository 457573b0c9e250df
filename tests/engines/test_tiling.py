"""Batches of any size on engines with limits: no seams, nothing lost."""

import numpy as np
import pytest

from sr_keras.engines import KerasEngine, load_engine, tiled
from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import ModelFileError
from sr_keras.models.stages import find_stage, shipped_stages


class Limited:
    """The shipped stage with limits, which records the batches it is given."""

    def __init__(self, name, limits):
        self._engine = load_engine(name)
        self.card, self.shape_limits, self.shapes = self._engine.card, limits, []

    def run(self, images):
        self.shape_limits.check(images.shape, "limited")
        self.shapes.append(images.shape)
        return self._engine.run(images)


@pytest.fixture(scope="module")
def images(sample):
    return (sample.voxels[50:110, 10:70, 40:45].transpose(2, 0, 1) / sample.voxels.max()).astype(np.float32)


@pytest.mark.parametrize("name", shipped_stages())
@pytest.mark.parametrize(
    "limits",
    [
        ShapeLimits((1, 2), (8, 40), (8, 32)),
        ShapeLimits((1, 1), (28, 28), (60, 60)),
        ShapeLimits((4, 4), (1, None), (27, 27)),
    ],
    ids=str,
)
def test_parts_join_to_what_the_whole_image_gives(name, limits, images):
    engine = Limited(name, limits)
    np.testing.assert_allclose(tiled(engine).run(images), load_engine(name).run(images), atol=2e-6)
    assert len(engine.shapes) > 1


def test_images_shorter_than_a_fixed_shape_differ_near_the_border_alone(images):
    name = "georgescu2020_hw_x2"
    output = tiled(Limited(name, ShapeLimits((1, 1), (96, 96), (96, 96)))).run(images)
    whole = load_engine(name).run(images)
    assert output.shape == whole.shape == (5, 120, 120)
    np.testing.assert_allclose(output[:, :-16, :-16], whole[:, :-16, :-16], atol=2e-6)
    assert np.abs(output - whole).max() < 0.1


def test_an_engine_without_limits_is_left_as_it_is():
    engine = KerasEngine(find_stage("georgescu2020_hw_x2"))
    assert tiled(engine) is engine


def test_parts_shorter_than_the_reach_are_refused(images):
    engine = Limited("georgescu2020_hw_x2", ShapeLimits((1, 1), (16, 16), (16, 16)))
    with pytest.raises(ModelFileError, match="parts of 17 pixels or more, .* Received: parts of 16"):
        tiled(engine).run(images)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 7, 32), (1, 32, 33), (32, 32)])
def test_run_says_its_limits(shape):
    limits = ShapeLimits((1, 2), (8, 32), (8, 32))
    with pytest.raises(
        ModelFileError, match="A batch for x must have batch 1 to 2, height 8 to 32, width 8 to 32. Rec"
    ):
        limits.check(shape, "x")
    limits.check((2, 8, 32), "x")
