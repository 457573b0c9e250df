"""The output of `predict --dry-run`."""

from math import prod

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from sr_keras.evaluation.tables import WIDTH
from sr_keras.inference.prepared import PreparedJob
from sr_keras.models.complexity import workload_of
from sr_keras.resources import format_bytes
from sr_keras.volumes.volume import format_shape


def print_plan(job: PreparedJob) -> None:
    """Print the passes of a job, its result, and its estimated time, memory and disk on stdout."""
    table = Table("step", "makes", "slices", "batch", "G MACs", "seconds", box=MARKDOWN)
    for each in job.plan.passes:
        macs = workload_of(job.engines[each.step].card, each.stacks)["macs"] * each.members
        table.add_row(
            each.step.label,
            format_shape(each.shape),
            " + ".join(f"{count} of {height}x{width}" for count, height, width in each.stacks),
            str(each.batch),
            f"{macs / 1e9:.0f}" if macs else "-",
            f"{each.seconds:.1f}",
        )
    if job.grid.regridding:
        seconds = f"{job.plan.resampling_seconds:.1f}"
        table.add_row("cubic resampling", format_shape(job.grid.shape), "-", "-", "-", seconds)
    console = Console(width=WIDTH)
    console.print(table)
    console.print(*_sentences(job), sep="\n", highlight=False)


def plan_line(job: PreparedJob) -> str:
    """Return what one of many jobs gives and takes, on one line."""
    plan = job.plan
    return f"{job.summary}, {format_bytes(plan.peak_bytes)} of memory, {job.count * plan.total_seconds:.0f} s"


def _sentences(job: PreparedJob) -> list[str]:
    plan, models = job.plan, ", ".join(card.name for card in job.cards) or "none"
    size = format_bytes(prod(job.grid.shape) * job.stored_bytes)
    return [
        f"Result: {job.summary}; {size} before compression.",
        f"Models: {models}. Slice axis: {job.slice_axis} ({'ijk'[job.slice_axis]}).",
        f"Volume between the stages: {plan.between}. Output buffer: {plan.output_buffer}. Temporary files: "
        f"{format_bytes(plan.disk_bytes)}. Peak memory: {format_bytes(plan.peak_bytes)}. "
        f"Time: {job.count * plan.total_seconds:.0f} s.",
    ]
