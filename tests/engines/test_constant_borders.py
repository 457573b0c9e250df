"""Images of which only the middle is run: the same bits, and no more pixels than are worked out here."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sr_keras.engines import Batched, load_engine
from sr_keras.engines.tiling import constant_border_crop
from sr_keras.models.stages import shipped_stages

ENGINES = [load_engine(name, "onnx") for name in shipped_stages()]


class Counted:
    """An engine that remembers the shapes that it ran."""

    def __init__(self, engine):
        self._engine, self.card, self.dynamic_shape, self.shapes = engine, engine.card, engine.dynamic_shape, []

    def run(self, images):
        self.shapes.append(images.shape)
        return self._engine.run(images)


def padded(top, bottom, left, right, value=0.0, count=1, shape=(80, 96)):
    """Return noisy images with a margin of one value."""
    images = np.full((count, *shape), value, np.float32)
    middle = images[:, top : shape[0] - bottom, left : shape[1] - right]
    middle[:] = np.random.default_rng(0).random(middle.shape, np.float32)
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
def test_a_margin_changes_no_bit(engine, margins, value, count):
    images = padded(*margins, value, count, shape=(112, 128))
    # The second image has more around its middle.
    images[-1, :52] = value
    np.testing.assert_array_equal(Batched(engine, count).run(images), engine.run(images))


def test_slices_upright_and_turned_have_one_answer_each():
    engine = Counted(load_engine("fast_hw_x2", "onnx"))
    batched, upright = Batched(engine, 1), padded(40, 0, 0, 0)
    for _ in range(2):
        batched.run(upright)
        batched.run(np.ascontiguousarray(upright.transpose(0, 2, 1)))
    assert engine.shapes == [(1, 80, 96), (1, 64, 96), (1, 96, 80), (1, 96, 64), (1, 64, 96), (1, 96, 64)]


def test_only_the_middle_is_run():
    engine = Counted(load_engine("fast_d_x2", "onnx"))
    assert engine.card.receptive_field_radius == (5, 5)
    batched = Batched(engine, 1)
    batched.run(padded(40, 8, 0, 50))
    # Once for what is around, then rows 40 to 71 and columns 0 to 45, larger by 10, and to whole 16s.
    assert engine.shapes == [(1, 80, 96), (1, 64, 64)]
    batched.run(padded(40, 8, 0, 50))
    assert engine.shapes[2:] == [(1, 64, 64)]
    batched.run(padded(0, 0, 0, 0))
    # Nothing is known of an engine that may choose its ways anew for each size.
    engine.dynamic_shape = False
    batched.run(padded(40, 8, 0, 50))
    assert engine.shapes[3:] == [(1, 80, 96)] * 2


def test_what_is_kept_is_what_the_cut_does_not_reach():
    value, rows, columns = constant_border_crop(padded(40, 8, 0, 50, value=0.5), (5, 5))
    assert value == 0.5
    assert (rows.run, rows.kept(1), rows.kept(2, rows.start)) == (slice(16, 80), slice(21, 80), slice(10, 128))
    assert (columns.run, columns.kept(2), columns.kept(2)) == (slice(0, 64), slice(0, 118), slice(0, 118))


@pytest.mark.parametrize("margins", [(0, 0, 0, 0), (30, 0, 0, 0), (20, 20, 24, 24), (2, 2, 2, 2)])
def test_margins_within_twice_the_reach_are_run(margins):
    assert constant_border_crop(padded(*margins), (12, 12)) is None
