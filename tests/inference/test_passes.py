import numpy as np
import pytest

from sr_keras.engines import Batched, Images
from sr_keras.inference.passes import SliceStep, run_depth_step, run_slice_steps
from sr_keras.inference.planning import Step, shape_after
from sr_keras.inference.self_ensemble import symmetries
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.slab_buffers import MemorySlabBuffer

SHAPE = (6, 7, 8)


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


def stored(voxels):
    store = MemorySlabBuffer(voxels.shape, (0, 1, 2))
    store.write(0, slice(None), voxels)
    return store


def deepened(voxels, axis, engine, self_ensemble="none", told=None):
    """Return a volume after a pass of the d stage."""
    step = Step("d", 2, (axis,))
    target = MemorySlabBuffer(shape_after(voxels.shape, step), (0, 1, 2))
    order = [other for other in range(3) if other != axis]
    told = [] if told is None else told
    run_depth_step(
        stored(voxels),
        target,
        target,
        step,
        order,
        voxels.shape,
        Batched(engine, 3),
        self_ensemble,
        lambda *news: told.append(news),
    )
    return target.read(0, slice(None))


def widened(voxels, across, engine, self_ensemble="none", told=None, times=1):
    """Return the slices across an axis after passes of the hw stage, the axis first."""
    steps = [SliceStep(Step("hw", 2, tuple(axis for axis in range(3) if axis != across)), engine)] * times
    told = [] if told is None else told
    made = run_slice_steps(
        stored(voxels), across, voxels.shape[across], 3, steps, self_ensemble, lambda *news: told.append(news)
    )
    return np.concatenate([images for _, images, _ in made])


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("self_ensemble", ["none", "mean", "median"])
def test_every_axis_can_grow(axis, self_ensemble):
    voxels = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    deep = deepened(voxels, axis, Repeat("d"), self_ensemble)
    np.testing.assert_allclose(deep, voxels.repeat(2, axis), rtol=1e-6)
    wide = widened(voxels, axis, Repeat("hw"), self_ensemble)
    np.testing.assert_allclose(wide, np.moveaxis(voxels, axis, 0).repeat(2, 1).repeat(2, 2), rtol=1e-6)


def test_hw_steps_follow_one_another_slab_by_slab():
    voxels = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    wide = widened(voxels, 2, Repeat("hw"), times=2)
    np.testing.assert_array_equal(wide, np.moveaxis(voxels, 2, 0).repeat(4, 1).repeat(4, 2))


def test_the_d_stage_averages_both_orientations():
    marked = deepened(np.zeros((4, 5, 3), np.float32), 2, Corner("d"))
    expected = np.zeros((4, 5, 6))
    # One orientation marks the first column of every slice along j, the other the first row of every slice along i.
    expected[0, :, 0] += 4
    expected[:, 0, 0] += 4
    np.testing.assert_array_equal(marked, expected)


def test_the_hw_ensemble_has_eight_members_two_at_each_corner():
    voxels = np.zeros((3, 3, 1), np.float32)
    expected = np.zeros((1, 6, 6))
    expected[:, [0, 0, -1, -1], [0, -1, 0, -1]] = 2
    np.testing.assert_array_equal(widened(voxels, 2, Corner("hw"), "mean"), expected)
    assert not widened(voxels, 2, Corner("hw"), "median").any()


def test_nothing_is_darker_than_the_floor_after_a_network():
    class Negative(Repeat):
        def run(self, images: Images) -> Images:
            return -super().run(images)

    voxels = np.ones(SHAPE, np.float32)
    for result in (deepened(voxels, 2, Negative("d")), widened(voxels, 2, Negative("hw"))):
        np.testing.assert_array_equal(result, 0)


@pytest.mark.parametrize(("stage", "count"), [("hw", 8), ("d", 4)])
def test_symmetries_are_undone_and_all_different(stage, count):
    images = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    pairs = symmetries(stage)
    assert len({transform(images).tobytes() for transform, _ in pairs}) == count == len(pairs)
    for transform, inverse in pairs:
        np.testing.assert_array_equal(inverse(transform(images)), images)


def test_progress_counts_every_slice():
    deep, wide = [], []
    deepened(np.zeros((4, 5, 3), np.float32), 2, Repeat("d"), told=deep)
    assert deep == [(Step("d", 2, (2,)), (size, 3), count) for size, count in ((5, 3), (5, 1), (4, 3), (4, 2))]
    widened(np.zeros((4, 5, 8), np.float32), 2, Repeat("hw"), told=wide)
    assert wide == [(Step("hw", 2, (0, 1)), (4, 5), count) for count in (3, 3, 2)]
