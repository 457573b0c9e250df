"""Batches of any shape on engines with shape limits: no seams, no missing pixels."""

import numpy as np
import pytest

from sr_keras.engines import KerasEngine, load_engine, tiled
from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import ModelFileError
from sr_keras.models.stages import find_stage, shipped_stages


class Limited:
    """A shipped stage with shape limits, which records the shapes that it runs."""

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
def test_tiles_join_to_the_output_for_the_whole_image(name, limits, images):
    engine = Limited(name, limits)
    np.testing.assert_allclose(tiled(engine).run(images), load_engine(name).run(images), atol=2e-6)
    assert len(engine.shapes) > 1


def test_images_shorter_than_a_fixed_shape_differ_near_the_border_only(images):
    name = "georgescu2020_hw_x2"
    output = tiled(Limited(name, ShapeLimits((1, 1), (96, 96), (96, 96)))).run(images)
    whole = load_engine(name).run(images)
    assert output.shape == whole.shape == (5, 120, 120)
    np.testing.assert_allclose(output[:, :-16, :-16], whole[:, :-16, :-16], atol=2e-6)
    assert np.abs(output - whole).max() < 0.1


def test_an_engine_without_limits_is_returned_itself():
    engine = KerasEngine(find_stage("georgescu2020_hw_x2"))
    assert tiled(engine) is engine


def test_tiles_smaller_than_the_receptive_field_are_refused(images):
    engine = Limited("georgescu2020_hw_x2", ShapeLimits((1, 1), (16, 16), (16, 16)))
    with pytest.raises(ModelFileError, match="^Tiles of 16 pixels are smaller than the receptive field of 17; export"):
        tiled(engine).run(images)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 7, 32), (1, 32, 33), (32, 32)])
def test_a_shape_outside_the_limits_is_refused(shape):
    limits = ShapeLimits((1, 2), (8, 32), (8, 32))
    with pytest.raises(ModelFileError, match="^x accepts batch 1 to 2, height 8 to 32, width 8 to 32. Received: "):
        limits.check(shape, "x")
    limits.check((2, 8, 32), "x")
