import numpy as np
import pytest

from sr_keras.engines import Images
from sr_keras.passes import run_step, symmetries
from sr_keras.planning import Step
from sr_keras.stages import shipped_stages

STEPS = [Step("hw", 2, (0, 1)), Step("hw", 2, (0, 2)), Step("hw", 2, (1, 2)), *(Step("d", 2, (a,)) for a in range(3))]


class Repeat:
    """An engine that repeats pixels: whatever the order of the axes, the answer is known."""

    def __init__(self, stage: str) -> None:
        self.card = shipped_stages()[f"georgescu2020_{stage}_x2"].card

    def run(self, images: Images) -> Images:
        wide = images.repeat(2, axis=2)
        return wide.repeat(2, axis=1) if self.card.stage == "hw" else wide


class Corner(Repeat):
    """An engine that marks the first pixel of each image, which turning and mirroring move."""

    def run(self, images: Images) -> Images:
        enlarged = super().run(images)
        enlarged[:, 0, 0] += 8
        return enlarged


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.label)
@pytest.mark.parametrize("ensemble", ["none", "mean", "median"])
def test_every_axis_can_grow(step, ensemble):
    voxels = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    expected = voxels
    for axis in step.axes:
        expected = expected.repeat(2, axis)
    np.testing.assert_allclose(run_step(voxels, step, Repeat(step.stage), ensemble, None), expected, rtol=1e-6)


def test_the_d_stage_averages_both_orientations():
    voxels = np.zeros((4, 5, 3), np.float32)
    marked = run_step(voxels, Step("d", 2, (2,)), Corner("d"), "none", None)
    expected = np.zeros((4, 5, 6))
    # One orientation marks the first column of every slice along j, the other the first row of every slice along i.
    expected[0, :, 0] += 4
    expected[:, 0, 0] += 4
    np.testing.assert_array_equal(marked, expected)


def test_the_hw_ensemble_has_eight_members_two_at_each_corner():
    marked = run_step(np.zeros((3, 3, 1), np.float32), Step("hw", 2, (0, 1)), Corner("hw"), "mean", None)
    expected = np.zeros((6, 6, 1))
    expected[[0, 0, -1, -1], [0, -1, 0, -1]] = 2
    np.testing.assert_array_equal(marked, expected)
    assert not run_step(np.zeros((3, 3, 1), np.float32), Step("hw", 2, (0, 1)), Corner("hw"), "median", None).any()


@pytest.mark.parametrize(("stage", "count"), [("hw", 8), ("d", 4)])
def test_symmetries_are_undone_and_all_different(stage, count):
    images = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    pairs = symmetries(stage)
    assert len({transform(images).tobytes() for transform, _ in pairs}) == count == len(pairs)
    for transform, inverse in pairs:
        np.testing.assert_array_equal(inverse(transform(images)), images)


def test_progress_counts_every_slice():
    told = []
    run_step(np.zeros((4, 5, 3), np.float32), Step("d", 2, (2,)), Repeat("d"), "none", lambda *news: told.append(news))
    assert told[-1] == ("d x2 on k", 9, 9)
