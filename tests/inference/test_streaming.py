"""Whatever the budget says about memory, disk and batches, the volume is the same bit for bit."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from sr_keras.engines import Batched, load_engine
from sr_keras.inference.budget import Budget, OutputBuffer, plan_within_budget
from sr_keras.inference.conditions import Conditions, folded_engines
from sr_keras.inference.output_grid import output_grid
from sr_keras.inference.planning import plan_steps
from sr_keras.inference.prepared import PreparedJob
from sr_keras.inference.streaming import _layout
from sr_keras.inference.timing import Timing
from sr_keras.inference.upscaler import Upscaler
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.volume import Volume

ENGINES = [load_engine(name, "onnx") for name in ("fast_hw_x2", "fast_d_x2")]
UPSCALER = Upscaler(ENGINES)
PLENTY = Budget(10**12, 0, disk=True)


class Linear:
    """An engine whose answer needs no network: each pixel again, and a trace of where it lies in its image."""

    def __init__(self, engine):
        self.card = engine.card

    def run(self, images):
        wide = images.repeat(2, axis=2)
        return wide.repeat(2, axis=1) if self.card.stage == "hw" else wide + wide[:, :1] / 8


SIMPLE = [Linear(engine) for engine in ENGINES]


def job(volume, factors, *, engines=ENGINES, axis=2, between="memory", batch=4, folder=None):
    """Return a job whose plan is as asked."""
    cards = [engine.card for engine in engines]
    steps = plan_steps(factors, axis, cards)
    cost = lambda *_: Timing(batch, 1.0)  # noqa: E731
    plan = plan_within_budget("a scan", volume.shape, steps, "none", OutputBuffer(), PLENTY, cost)
    found = {step: next(e for e in engines if e.card.stage == step.stage) for step in steps}
    found = folded_engines(found, volume, Conditions())
    grid = output_grid(volume, factors, None, cards)
    return PreparedJob(volume, grid, axis, replace(plan, between=between), found, folder=folder)


def collected(prepared, told=None):
    """Return the volume that the slabs make, which cover it once and in order."""
    axis, parts, end = prepared.plan.slab_axis, [], 0
    report = None if told is None else lambda *news: told.append(news)
    with closing(prepared.slabs(report)) as slabs:
        for span, slab in slabs:
            assert span.start == end
            end = span.stop
            parts.append(slab.copy())
    voxels = np.concatenate(parts, axis=axis)
    assert voxels.shape == prepared.plan.shape
    return voxels


@pytest.fixture(scope="module")
def scan(sample):
    """A corner of a brain with some background, as a CT with padding below its scale."""
    voxels = sample.voxels[50:84, 14:40, 40:62].astype(np.int16) * 2 - 1024
    voxels[:3] = -3024
    voxels[:, :, -2:] = -1024
    return Volume(voxels, np.diag([1.0, 1, 2, 1]), "CT")


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 1, 2), (2, 2, 1), (2, 1, 1), (2, 4, 2)])
def test_every_place_and_batch_gives_the_same_bits(scan, tmp_path, factors):
    whole = UPSCALER.upscale(scan, factors, slice_axis=2).voxels
    assert whole.shape == tuple(n * f for n, f in zip(scan.shape, factors, strict=True))
    for between, batch in (("memory", 1), ("disk", 3)):
        slabs = collected(job(scan, factors, between=between, batch=batch, folder=tmp_path))
        np.testing.assert_array_equal(slabs, whole)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("factors", [(2, 2, 2), (4, 2, 2), (1, 4, 1), (4, 4, 4), (2, 2, 8)])
@pytest.mark.parametrize("axis", range(3))
def test_any_axes_grow_on_disk_as_in_memory(scan, tmp_path, factors, axis):
    made = [
        collected(job(scan, factors, engines=SIMPLE, axis=axis, between=between, folder=tmp_path))
        for between in ("memory", "disk")
    ]
    np.testing.assert_array_equal(*made)


def test_a_pass_over_slabs_is_the_pass_over_the_whole_worked_out_here(scan):
    normalization = normalization_of(scan)
    low = normalization.apply(scan.voxels)
    folded = UPSCALER.prepare(scan, (2, 2, 2), slice_axis=2).engines.values()
    hw, d = (next(e for e in folded if e.card.stage == stage) for stage in ("hw", "d"))
    clipped = np.maximum(low, 0)
    # Every output is cut off at the floor, below which a linear last layer may go.
    across_i, across_j = (
        np.maximum(Batched(d, 1).run(np.ascontiguousarray(clipped.transpose(order))), 0).transpose(order)
        for order in ((0, 1, 2), (1, 0, 2))
    )
    deep = (across_i + across_j) / np.float32(2)
    wide = Batched(hw, 1).run(np.ascontiguousarray(deep.transpose(2, 0, 1))).transpose(1, 2, 0)
    below = np.minimum(scan.voxels + np.float32(1024), 0).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    expected = normalization.invert(np.maximum(wide, 0)) + below
    np.testing.assert_array_equal(UPSCALER.upscale(scan, (2, 2, 2), slice_axis=2).voxels, expected)
    assert (expected[:2, :, :40] < -2900).all()


def test_progress_is_one_count_of_the_whole_job(scan):
    told = []
    prepared = job(scan, (2, 2, 2), engines=SIMPLE)
    collected(prepared, told)
    i, j, k = scan.shape
    assert {total for _, _, total in told} == {prepared.plan.seconds} == {i + j + 2 * k}
    done = [done for _, done, _ in told]
    assert done == sorted(done)
    assert told[-1] == ("hw x2 on ij", i + j + 2 * k, i + j + 2 * k)


def test_a_job_that_stops_midway_leaves_no_file(scan, tmp_path):
    slabs = job(scan, (2, 2, 2), engines=SIMPLE, between="disk", folder=tmp_path).slabs()
    next(slabs)
    slabs.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("across", [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("readers", [[0], [1], [2], [0, 1], [0, 2], [1, 2]])
def test_a_layout_lets_all_of_its_users_in(across, readers):
    first, second, order = _layout(across, readers)
    assert {first, second} == set(across)
    assert sorted(order) == [0, 1, 2]
    assert {second, *readers} <= set(order[:2])
