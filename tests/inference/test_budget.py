"""Plans worked out by hand."""

from math import prod

import pytest

from sr_keras.errors import VolumeError
from sr_keras.inference.budget import SLABS_ALIVE, Budget, OutputBuffer, budget_of, plan_within_budget
from sr_keras.inference.passes import D_SLAB
from sr_keras.inference.planning import Step, slab_axis_of
from sr_keras.inference.timing import WORKSPACE_BYTES, Timing

SCAN = (512, 512, 300)
D, HW = Step("d", 2, (2,)), Step("hw", 2, (0, 1))
SECONDS = {(512, 300): 0.1, (512, 512): 0.2}
# 512x512x600 voxels of 4 bytes.
BETWEEN = 629_145_600
# A d slab of 32 slices of 512x600, and five of them; larger than seven slices of 1024x1024.
SLAB = D_SLAB * 4 * 512 * 600
BUFFERS = 5 * SLAB
WORKSPACES = WORKSPACE_BYTES * (512 * 600 + 1024 * 1024)


def plan(memory=10**12, steps=(D, HW), *, disk=True, batch=1, output=None, self_ensemble="none", resident=0):
    return plan_within_budget(
        "ct.nii",
        SCAN,
        steps,
        self_ensemble,
        output or OutputBuffer(),
        Budget(memory, resident, disk),
        lambda _, height, width: Timing(batch, SECONDS.get((height, width), 1.0)),
    )


def test_a_ct_is_enlarged_in_two_passes():
    found = plan()
    deep, wide = found.passes
    assert (deep.stacks, wide.stacks) == (((512, 512, 300), (512, 512, 300)), ((600, 512, 512),))
    assert (deep.shape, wide.shape, found.shape) == ((512, 512, 600), (1024, 1024, 600), (1024, 1024, 600))
    assert (deep.seconds, wide.seconds, found.seconds) == pytest.approx((102.4, 120, 222.4))
    assert (found.slab_axis, found.slab) == (2, 1)
    assert (found.between, found.output_buffer, found.disk_bytes) == ("memory", "nowhere", 0)
    assert found.peak_bytes == BETWEEN + BUFFERS + WORKSPACES


def test_the_output_is_never_in_memory_as_a_whole():
    found = plan()
    assert found.peak_bytes < 2 * prod(found.shape) + 1.5e9


def test_less_memory_means_smaller_batches_then_the_disk():
    large = plan(batch=2)
    assert large.peak_bytes == BETWEEN + BUFFERS + 2 * WORKSPACES
    smaller = plan(large.peak_bytes - 1, batch=2)
    assert (smaller.passes[0].batch, smaller.between) == (1, "memory")
    disk = plan(smaller.peak_bytes - 1, batch=1)
    assert (disk.between, disk.peak_bytes) == ("disk", BUFFERS + WORKSPACES)
    # The first orientation has a file of its own until the second one is there.
    assert disk.disk_bytes == 2 * BETWEEN


def test_what_cannot_be_is_one_line_with_the_remedy():
    least = plan(plan().peak_bytes - 1).peak_bytes
    with pytest.raises(VolumeError, match="^ct.nii: this needs at least 8") as caught:
        plan(least - 1)
    assert str(caught.value).endswith(
        "may be used; allow more with --memory, choose a coarser result or crop the scan."
    )
    assert "\n" not in str(caught.value)
    with pytest.raises(VolumeError, match="needs at least 1.5 GB of memory"):
        plan(least, disk=False)
    with pytest.raises(VolumeError, match="needs at least 2.3 GB of memory, 2.2 GB may be used"):
        plan(2_200_000_000, disk=False, resident=800_000_000)


def test_the_output_buffer_counts():
    base = plan().peak_bytes
    assert plan(output=OutputBuffer(4 * 1024 * 1024 * 600)).peak_bytes == base + 4 * 1024 * 1024 * 600
    spilled = plan(base, output=OutputBuffer(2 * 1024 * 1024 * 600, on_disk=True))
    assert (spilled.output_buffer, spilled.between, spilled.peak_bytes) == ("disk", "memory", base)
    assert spilled.disk_bytes == 2 * 1024 * 1024 * 600


def test_a_job_without_d_steps_has_nothing_between():
    found = plan(steps=[HW])
    assert (found.between, found.disk_bytes) == ("nowhere", 0)
    # Three slabs of eight slices that are cut out of the scan.
    assert found.peak_bytes == (WORKSPACE_BYTES + SLABS_ALIVE * 4) * 1024 * 1024 + 24 * 4 * 512 * 512


def test_a_job_that_ends_with_a_d_step_is_written_across_the_slowest_axis():
    found = plan(steps=[Step("d", 2, (0,)), Step("d", 2, (0,))])
    assert (found.slab_axis, found.shape, found.between) == (2, (2048, 512, 300), "memory")
    # Both volumes are there while the second is made of the first.
    assert found.peak_bytes > 4 * 300 * 512 * (1024 + 2048)


@pytest.mark.parametrize(("steps", "axis"), [([D, HW], 2), ([Step("hw", 2, (1, 2))], 0), ([], 2), ([D], 2)])
def test_the_axis_of_slabs_is_across_the_hw_stage_s_slices(steps, axis):
    assert slab_axis_of(steps) == axis


def test_an_ensemble_costs_its_members():
    found = plan(self_ensemble="mean")
    assert found.seconds == pytest.approx(4 * 102.4 + 8 * 120)
    # Eight more slices of the d stage: four results, and the four in one array.
    assert found.peak_bytes == BETWEEN + 8 * SLAB // D_SLAB + BUFFERS + WORKSPACES


def test_a_budget_is_what_is_asked_for_or_most_of_what_is_free():
    asked = budget_of(5_000_000_000, disk=True)
    assert (asked.memory, asked.disk) == (5_000_000_000, True)
    free = budget_of(None, disk=False)
    assert free.memory > free.resident > 10_000_000
