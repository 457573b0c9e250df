"""Cropped constant borders: bit-identical outputs, from no more pixels than computed here by hand."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sr_keras.engines import Batched, load_engine
from sr_keras.engines.tiling import constant_border_crop
from sr_keras.models.stages import shipped_stages

ENGINES = [load_engine(name, "onnx") for name in shipped_stages()]


class Counted:
    """An engine that records the shapes that it ran."""

    def __init__(self, engine):
        self._engine, self.card, self.dynamic_shape, self.shapes = engine, engine.card, engine.dynamic_shape, []

    def run(self, images):
        self.shapes.append(images.shape)
        return self._engine.run(images)


def padded(top, bottom, left, right, value=0.0, count=1, shape=(80, 96)):
    """Return noisy images with a constant border."""
    images = np.full((count, *shape), value, np.float32)
    inside = images[:, top : shape[0] - bottom, left : shape[1] - right]
    inside[:] = np.random.default_rng(0).random(inside.shape, np.float32)
    return images


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@given(
    st.tuples(st.integers(0, 60), st.integers(0, 51), st.integers(0, 70), st.integers(0, 57)),
    st.sampled_from([0.0, 0.25]),
    st.integers(1, 2),
)
# Cuts on all four sides, in a corner, and as a CT's d slices have them, on two.
@example((50, 50, 58, 58), 0.0, 1)
@example((55, 0, 60, 0), 0.25, 2)
@example((0, 60, 0, 70), 0.0, 1)
@example((45, 48, 0, 0), 0.0, 1)
@settings(max_examples=8, deadline=None)
def test_a_constant_border_changes_no_bit(engine, borders, value, count):
    images = padded(*borders, value, count, shape=(112, 128))
    # The second image has a wider border.
    images[-1, :52] = value
    np.testing.assert_array_equal(Batched(engine, count).run(images), engine.run(images))


def test_the_outputs_of_constant_slices_are_cached_for_two_orientations():
    engine = Counted(load_engine("fast_hw_x2", "onnx"))
    batched, images = Batched(engine, 1), padded(40, 0, 0, 0)
    for _ in range(2):
        batched.run(images)
        batched.run(np.ascontiguousarray(images.transpose(0, 2, 1)))
    assert engine.shapes == [(1, 80, 96), (1, 64, 96), (1, 96, 80), (1, 96, 64), (1, 64, 96), (1, 96, 64)]


def test_only_the_crop_is_run():
    engine = Counted(load_engine("fast_d_x2", "onnx"))
    assert engine.card.receptive_field_radius == (5, 5)
    batched = Batched(engine, 1)
    batched.run(padded(40, 8, 0, 50))
    # The constant image, then rows 40 to 71 and columns 0 to 45, extended by 10 and to multiples of 16.
    assert engine.shapes == [(1, 80, 96), (1, 64, 64)]
    batched.run(padded(40, 8, 0, 50))
    assert engine.shapes[2:] == [(1, 64, 64)]
    batched.run(padded(0, 0, 0, 0))
    # An engine without `dynamic_shape` may compute differently for each size.
    engine.dynamic_shape = False
    batched.run(padded(40, 8, 0, 50))
    assert engine.shapes[3:] == [(1, 80, 96)] * 2


def test_output_within_the_receptive_field_radius_of_the_crop_s_edge_is_not_kept():
    value, rows, columns = constant_border_crop(padded(40, 8, 0, 50, value=0.5), (5, 5))
    assert value == 0.5
    assert (rows.run, rows.kept(1), rows.kept(2, rows.start)) == (slice(16, 80), slice(21, 80), slice(10, 128))
    assert (columns.run, columns.kept(2), columns.kept(2)) == (slice(0, 64), slice(0, 118), slice(0, 118))


@pytest.mark.parametrize("borders", [(0, 0, 0, 0), (30, 0, 0, 0), (20, 20, 24, 24), (2, 2, 2, 2)])
def test_borders_within_twice_the_receptive_field_radius_are_not_cropped(borders):
    assert constant_border_crop(padded(*borders), (12, 12)) is None
