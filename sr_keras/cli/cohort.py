"""What the commands for many scans share: options, the run, the plan."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sr_keras.cli.options import (
    SIZE,
    Parsed,
    force_option,
    load_upscaler,
    modality_option,
    model_option,
    nan_fill_option,
    quality_option,
    slice_axis_option,
    to_modality,
)
from sr_keras.cli.predict_options import acquisition_options, factor_options, method_options
from sr_keras.resources import format_bytes

if TYPE_CHECKING:
    from sr_keras.cohort.attempts import Report
    from sr_keras.cohort.items import Item, Scan
    from sr_keras.cohort.ledger import Ledger
    from sr_keras.cohort.parts import Part
    from sr_keras.cohort.recipe import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])
# Numbers of workers that a plan speaks of.
WORKERS = (1, 10, 100, 1000)
# Geometries, and scans that cannot be done, that a plan lists.
LISTED = 10

OPTIONS = (
    factor_options,
    acquisition_options,
    method_options,
    quality_option,
    model_option,
    modality_option,
    slice_axis_option,
    nan_fill_option,
    click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Run N worker processes on this machine."),
    click.option("--scheduler", metavar="ADDRESS", help="Use the Dask cluster there, such as tcp://10.0.0.1:8786."),
    click.option(
        "--part",
        type=Parsed("part", "sr_keras.cohort.parts", "parse_part"),
        metavar="I/N",
        help="Do the Ith of N parts, for array jobs.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Processor threads of each process.  [default: its share of the cores]",
    ),
    click.option(
        "--memory",
        type=SIZE,
        metavar="SIZE",
        help="Memory limit of each process, such as 4G.  [default: its share of the free memory]",
    ),
    click.option("--dry-run", is_flag=True, help="Print voxels, core hours, memory and disk; write nothing."),
    force_option,
)


def cohort_options(command: Command) -> Command:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def recipe_of(options: dict[str, Any]) -> "Recipe":
    """Return what the options ask for, checked."""
    from sr_keras.cohort.recipe import Recipe
    from sr_keras.export.presumed import conditions_of
    from sr_keras.models.registry import DEFAULT_FAMILY, choose_stages
    from sr_keras.models.stages import shipped_stages

    if options["scale"] and options["spacing"]:
        raise click.UsageError("Give --scale or --spacing, not both.")
    if options["workers"] and options["scheduler"]:
        raise click.UsageError("Give --workers or --scheduler, not both.")
    names = options["models"]
    load_upscaler(names, options["quality"], options["self_ensemble"])
    if not names:
        names = tuple(choose_stages(shipped_stages(), options["quality"] or DEFAULT_FAMILY))
    return Recipe(
        # A path must mean the same in the folders of other processes.
        tuple(str(Path(name).resolve()) if Path(name).exists() else name for name in names),
        threads=options["threads"],
        self_ensemble=options["self_ensemble"],
        data_consistency=options["data_consistency"],
        conditions=conditions_of(options["noise"], options["acquisition"]),
        factors=options["scale"] or (2, 2, 2),
        spacing=options["spacing"],
        slice_axis=options["slice_axis"],
        dtype=options.get("dtype"),
        modality=to_modality(options["modality"]),
        nan_fill=options["nan_fill"],
        memory=options["memory"],
        replace=options["force"],
    )


def part_of(options: dict[str, Any]) -> "Part":
    """Return the part of the cohort that is asked for."""
    from sr_keras.cohort.parts import ALL

    return options["part"] or ALL


def run_items(
    recipe: "Recipe", items: "Sequence[Item]", output: Path, options: dict[str, Any], what: str = "Scans to do"
) -> None:
    """Do items, and exit with 1 if one waits for somebody in the end."""
    from sr_keras.cohort.ledger import Ledger
    from sr_keras.cohort.running import record_all
    from sr_keras.progress import count_report

    start = time.monotonic()
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(output, part_of(options)))
        _tell(f"{what}: {len(items)}; ledger {ledger.path}")
        reports = _reports(recipe, items, ledger, options, stack)
        with count_report() as progress:
            summary = record_all(reports, len(items), ledger, click.echo, progress)
        # Before a cluster is closed, which takes a while and can fail.
        click.echo(f"{summary}, {time.monotonic() - start:.1f} s")
    if not summary.is_complete:
        sys.exit(1)


def _reports(
    recipe: "Recipe", items: "Sequence[Item]", ledger: "Ledger", options: dict[str, Any], stack: ExitStack
) -> "Iterator[Report]":
    """Return what will come of items here, on processes of this machine, or on a cluster."""
    workers, scheduler = options["workers"], options["scheduler"]
    if not (workers or scheduler):
        from sr_keras.cohort.serial import run_here

        return run_here(recipe, items, ledger)
    from sr_keras.cohort.cluster import local_cluster, remote_cluster, shared_out
    from sr_keras.cohort.dispatch import run_on

    recipe = shared_out(recipe, workers) if workers else recipe
    dask = stack.enter_context(local_cluster(workers, ledger.path) if workers else remote_cluster(scheduler, _tell))
    _tell(f"Dask dashboard: {dask.client.dashboard_link}")
    return run_on(dask, recipe, items, ledger.path, _tell)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def print_plan(recipe: "Recipe", scans: "Sequence[Scan]", output: Path) -> None:
    """Print what scans will take; those that the ledger has as done are left out."""
    from sr_keras.cohort.ledger import last_entries
    from sr_keras.cohort.planning import makespan, plan_cohort
    from sr_keras.machine import available_cores
    from sr_keras.progress import count_report

    last = last_entries(output)
    left = [scan for scan in scans if not (scan.output.exists() and _is_done(last.get((scan.name, scan.output.name))))]
    with count_report() as progress:
        plan = plan_cohort(recipe.job(), left, progress)
    click.echo(f"Scans: {len(left)} to do, {len(scans) - len(left)} done, {len(plan.refused)} that cannot be done.")
    for name, reason in list(plan.refused.items())[:LISTED]:
        click.echo(f"  {name}: {reason}")
    for geometry, count in list(plan.geometries.items())[:LISTED]:
        click.echo(f"  {count} x {geometry}")
    each = plan.estimates
    cores = recipe.threads or available_cores()
    click.echo(
        f"Voxels: {sum(one.voxels for one in each):.4g} in, {sum(one.result_voxels for one in each):.4g} out.\n"
        f"Core hours: {plan.seconds * cores / 3600:.3g} ({cores} cores a worker, as timed on this machine).\n"
        f"Memory: {format_bytes(plan.memory)} a worker at the peak.\n"
        f"Disk: {format_bytes(sum(one.result_bytes for one in each))} of results before compression, "
        f"{format_bytes(max((one.temporary_bytes for one in each), default=0))} a worker of temporary files."
    )
    for workers in WORKERS:
        seconds = makespan([one.seconds for one in each], workers)
        click.echo(f"On {workers} worker{'s' if workers > 1 else ''} like this machine: {_duration(seconds)}.")
    if len(plan.geometries) > plan.planned:
        click.echo(
            f"{plan.planned} of {len(plan.geometries)} sizes of scans were timed, the others reckoned by voxels."
        )


def print_group(output: Path, scans: "Sequence[Scan]" = ()) -> None:
    """Write the table and the page of a cohort, and exit with 1 if a scan waits for somebody."""
    from sr_keras.cohort.group import FINE, collect, counts, write_group

    rows = collect(output, scans)
    paths = write_group(output, rows)
    click.echo(f"{' and '.join(map(str, paths))}: {counts(rows)}")
    if any(row["state"] not in FINE for row in rows):
        sys.exit(1)


def _is_done(entry: Any) -> bool:
    return entry is not None and entry.state in ("done", "unchanged")


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
