"""The output of `predict --dry-run`."""

from collections.abc import Iterable

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from sr_keras.engines import Engine
from sr_keras.evaluation.tables import WIDTH
from sr_keras.files import format_bytes
from sr_keras.inference.budget import Plan
from sr_keras.models.complexity import workload_of
from sr_keras.volumes.volume import format_shape


def print_plan(plan: Plan, engines: Iterable[Engine]) -> None:
    """Print the passes of a job and its estimated time and memory on stdout.

    Args:
        plan: of the job.
        engines: available to the job.
    """
    cards = {(engine.card.stage, engine.card.scale): engine.card for engine in engines}
    table = Table("step", "makes", "slices", "batch", "G MACs", "seconds", box=MARKDOWN)
    for each in plan.passes:
        adds = workload_of(cards[each.step.stage, each.step.scale], each.stacks)["macs"] * each.members
        table.add_row(
            each.step.label,
            format_shape(each.shape),
            " + ".join(f"{count} of {height}x{width}" for count, height, width in each.stacks),
            str(each.batch),
            f"{adds / 1e9:.0f}" if adds else "-",
            f"{each.seconds:.1f}",
        )
    console = Console(width=WIDTH)
    console.print(table)
    console.print(
        f"Between the stages: {plan.between}. Kept until the end: {plan.kept}. Temporary files: "
        f"{format_bytes(plan.disk_bytes)}. Peak memory: {format_bytes(plan.peak_bytes)}. Time: {plan.seconds:.0f} s.",
        highlight=False,
    )
