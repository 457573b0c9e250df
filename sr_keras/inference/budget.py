"""What a job will take, from the shape of its scan: passes, slices, arithmetic, memory, time. Nothing is run here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
import psutil

from sr_keras.errors import VolumeError
from sr_keras.inference.passes import D_SLAB, hw_slab, slice_order
from sr_keras.inference.planning import Step, shape_after, slab_axis_of
from sr_keras.inference.self_ensemble import SelfEnsemble
from sr_keras.inference.timing import WORKSPACE_BYTES, Timing
from sr_keras.networks import StageName, output_factors
from sr_keras.resources import format_bytes

Shape = tuple[int, int, int]
# Says how to run the slices (height, width) of a step.
CostModel = Callable[[Step, int, int], Timing]

FLOAT = 4
# Of half-widths between the stages, normalised: three digits are more than they are good for.
WIDTHS_DTYPE = np.float16
# Of the memory that is free, the share that a job may take where nobody says how much.
SHARE = 0.8
# Slabs of the result that exist at once: one being made, one made, one being finished, those that wait for the writer.
SLABS_ALIVE = 7
# Slices that are handed on at once where no hw stage runs.
PLAIN_SLAB = 8
# How often each slice is run for an ensemble.
MEMBERS = {"hw": 8, "d": 4}


@dataclass(frozen=True)
class Pass:
    """One step of a job.

    Attributes:
        step: the stage and the axes that grow.
        shape: of the volume that it makes, along i, j, k.
        stacks: of slices that it runs, (count, height, width) each: two orientations of the d stage, one of the hw.
        per_slice: estimated seconds for a slice of each stack, all its members together.
        members: how often each slice runs, rotated and mirrored: once without self-ensemble.
        batch: slices at once.
    """

    step: Step
    shape: Shape
    stacks: tuple[Shape, ...]
    per_slice: tuple[float, ...]
    members: int
    batch: int

    @property
    def seconds(self) -> float:
        """The estimated time."""
        return sum(count * seconds for (count, _, _), seconds in zip(self.stacks, self.per_slice, strict=True))

    @property
    def workspace(self) -> int:
        """About how many bytes the engine takes while it runs a batch."""
        rows, columns = output_factors(self.step.stage, self.step.scale)
        pixels = max(height * rows * width * columns for _, height, width in self.stacks)
        return self.batch * pixels * WORKSPACE_BYTES


@dataclass(frozen=True)
class OutputBuffer:
    """What holds the result until all of it is there.

    Attributes:
        bytes: 0 where slabs are written as they come.
        on_disk: whether a temporary file may hold it.
        workspace: bytes that a last resampling takes.
        resampling_seconds: estimated seconds that it takes.
        uncertainty: whether half-widths are made beside the result.
    """

    bytes: int = 0
    on_disk: bool = False
    workspace: int = 0
    resampling_seconds: float = 0.0
    uncertainty: bool = False


@dataclass(frozen=True)
class Plan:
    """What a job will do and take.

    Attributes:
        passes: in their order.
        shape: of the result, along i, j, k.
        slab_axis: the axis along which the result is made, slab by slab.
        between: where the volume between the d and the hw stage lies: "memory", "disk", or "nowhere" if there is none.
        output_buffer: where the result lies until all of it is there: "memory", "disk" or "nowhere".
        disk_bytes: of temporary files.
        peak_bytes: of resident memory, estimated.
        resampling_seconds: estimated, of a last resampling onto the grid of the result.
    """

    passes: tuple[Pass, ...]
    shape: Shape
    slab_axis: int
    between: str
    output_buffer: str
    disk_bytes: int
    peak_bytes: int
    resampling_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """The estimated time of all passes."""
        return sum(each.seconds for each in self.passes)

    @property
    def total_seconds(self) -> float:
        """The estimated time of all passes and of a last resampling."""
        return self.seconds + self.resampling_seconds

    @property
    def slab(self) -> int:
        """How many slices of the result are made at once."""
        last = next((each for each in self.passes if each.step.stage == "hw"), None)
        return last.batch if last else PLAIN_SLAB


@dataclass(frozen=True)
class Budget:
    """What a job may take.

    Attributes:
        memory: bytes of resident memory in all.
        resident: bytes of it that are taken before the job begins.
        disk: whether temporary files may be used.
    """

    memory: int
    resident: int
    disk: bool


def budget_of(memory: int | None, *, disk: bool) -> Budget:
    """Return the budget of a job in this process.

    Args:
        memory: bytes that the process may take in all; None takes most of what is free now.
        disk: whether temporary files may be used.
    """
    resident = psutil.Process().memory_info().rss
    return Budget(memory or resident + int(SHARE * psutil.virtual_memory().available), resident, disk)


def check_least_memory(
    source: str, shape: Shape, steps: Sequence[Step], self_ensemble: SelfEnsemble, output: OutputBuffer, budget: Budget
) -> None:
    """Refuse a job that fits its budget in no way.

    Args:
        source: where the scan came from, for the message.
        shape: of the scan, along i, j, k.
        steps: as `plan_steps` returns them.
        self_ensemble: whether slices also run rotated and mirrored.
        output: what holds the result.
        budget: what the job may take.

    Raises:
        VolumeError: it does not fit into the memory.
    """
    spills = [
        _plan(shape, steps, _unpriced, self_ensemble, output, budget.resident, *places, 1)
        for places in _places(steps, output, budget)
    ]
    least = min(plan.peak_bytes for plan in spills)
    if least > budget.memory:
        raise VolumeError(
            f"{source}: this needs at least {format_bytes(least)} of memory, {format_bytes(budget.memory)} may be "
            "used; allow more with --memory, choose a coarser result or crop the scan."
        )


def plan_within_budget(
    source: str,
    shape: Shape,
    steps: Sequence[Step],
    self_ensemble: SelfEnsemble,
    output: OutputBuffer,
    budget: Budget,
    cost_model: CostModel | None = None,
) -> Plan:
    """Return the plan of a job that fits its budget: in memory if it can be, in batches that are fastest if they fit.

    Args:
        source: as in `check_least_memory`.
        shape: as in `check_least_memory`.
        steps: as in `check_least_memory`.
        self_ensemble: as in `check_least_memory`.
        output: as in `check_least_memory`.
        budget: as in `check_least_memory`.
        cost_model: says how to run slices; None where none are run.

    Raises:
        VolumeError: no plan fits into the memory.
    """
    check_least_memory(source, shape, steps, self_ensemble, output, budget)
    plans = (
        _plan(shape, steps, cost_model or _unpriced, self_ensemble, output, budget.resident, *places, batch)
        for places in _places(steps, output, budget)
        for batch in (None, 1)
    )
    return next(plan for plan in plans if plan.peak_bytes <= budget.memory)


def _places(steps: Sequence[Step], output: OutputBuffer, budget: Budget) -> list[tuple[bool, bool]]:
    """Return what may lie on disk, the result and the volume between the stages, the fastest choice first."""
    between = [False, True] if budget.disk and any(step.stage == "d" for step in steps) else [False]
    results = [False, True] if budget.disk and output.on_disk else [False]
    return list(product(results, between))


def _unpriced(*_: object) -> Timing:
    return Timing(1, 0.0)


def _plan(
    shape: Shape,
    steps: Sequence[Step],
    cost_model: CostModel,
    self_ensemble: SelfEnsemble,
    output: OutputBuffer,
    resident: int,
    output_on_disk: bool,
    between_on_disk: bool,
    largest_batch: int | None,
) -> Plan:
    passes, now = [], shape
    for step in steps:
        passes.append(_pass(step, now, cost_model, self_ensemble, largest_batch))
        now = passes[-1].shape
    axis = slab_axis_of(steps)
    voxel = FLOAT + (np.dtype(WIDTHS_DTYPE).itemsize if output.uncertainty else 0)
    made = [voxel * prod(each.shape) for each in passes if each.step.stage == "d"]
    # Each step reads the volume that the one before it made; the last one's is there until the job ends.
    together = max((sum(made[max(0, n - 1) : n + 1]) for n in range(len(made))), default=0)
    result = output.bytes
    memory = (0 if between_on_disk else together) + (0 if output_on_disk else result)
    # On disk the first orientation of a d step lies in a file of its own.
    disk = (together + max(made) if between_on_disk and made else 0) + (result if output_on_disk else 0)
    plan = Plan(
        tuple(passes),
        now,
        axis,
        _place(bool(made), between_on_disk),
        _place(bool(result), output_on_disk),
        disk,
        0,
    )
    buffers = max([_d_buffers(each) for each in passes] + [_hw_buffers(plan)]) * (2 if output.uncertainty else 1)
    peak = resident + memory + buffers + output.workspace + sum(each.workspace for each in passes)
    return replace(plan, peak_bytes=peak, resampling_seconds=output.resampling_seconds)


def _pass(
    step: Step, shape: Shape, cost_model: CostModel, self_ensemble: SelfEnsemble, largest_batch: int | None
) -> Pass:
    stacks = tuple(_stack(shape, across, step) for across in range(3) if across not in step.axes)
    timings = [cost_model(step, height, width) for _, height, width in stacks]
    batch = min(timing.batch for timing in timings)
    members = 1 if self_ensemble == "none" else MEMBERS[step.stage]
    per_slice = tuple(members * timing.seconds for timing in timings)
    return Pass(step, shape_after(shape, step), stacks, per_slice, members, min(batch, largest_batch or batch))


def _stack(shape: Shape, across: int, step: Step) -> Shape:
    count, height, width = (shape[axis] for axis in slice_order(across, step.axes[0] if step.stage == "d" else None))
    return count, height, width


def _d_buffers(each: Pass) -> int:
    """Return what the slabs of a d step take that exist at once: two read, one upsampled, two written."""
    if each.step.stage == "hw":
        return 0
    pixels = max(height * width * each.step.scale for _, height, width in each.stacks)
    return (5 * D_SLAB + _members([each], "d") * each.batch) * FLOAT * pixels


def _hw_buffers(plan: Plan) -> int:
    """Return what the slabs of the hw stage take that exist at once: of the result, and three of what it is made of."""
    first = next((each for each in plan.passes if each.step.stage == "hw"), None)
    made = (SLABS_ALIVE + _members(plan.passes, "hw")) * plan.slab * prod(plan.shape) // plan.shape[plan.slab_axis]
    cut = 0 if first is None else 3 * hw_slab(plan.slab) * prod(first.stacks[0][1:])
    return FLOAT * (made + cut)


def _members(passes: Sequence[Pass], stage: StageName) -> int:
    """Return how many results of an ensemble's members exist at once: all of them, and all of them in one array."""
    most = max((each.members for each in passes if each.step.stage == stage), default=1)
    return 2 * most if most > 1 else 0


def _place(there: bool, on_disk: bool) -> str:
    return ("disk" if on_disk else "memory") if there else "nowhere"
