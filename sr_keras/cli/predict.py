"""`sr-keras predict`: super-resolve a scan or a folder of scans."""

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.cli.options import (
    Parsed,
    adapt_steps_option,
    force_option,
    load_upscaler,
    modality_option,
    model_option,
    nan_fill_option,
    quality_option,
    slice_axis_option,
    slice_thickness_option,
    to_adapter,
    to_modality,
)

if TYPE_CHECKING:
    from sr_keras.inference.jobs import PredictionJob

SCALE = Parsed("scale", "sr_keras.inference.output_grid", "parse_scale")
SPACING = Parsed("spacing", "sr_keras.inference.output_grid", "parse_spacing")
SIZE = Parsed("size", "sr_keras.resources", "parse_bytes")


@click.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A .nii or .nii.gz file, or a folder."
)
@click.option("--series", metavar="NUMBER|UID", help="Series to read from a DICOM folder that holds several.")
@click.option(
    "--frame-group", type=int, metavar="N", help="Time point or echo to read from a DICOM series, counted from 1."
)
@click.option(
    "--scale",
    type=SCALE,
    metavar="N|NxNxN",
    help="Factor for all axes, or one per axis of the file.  [default: 2]",
)
@click.option(
    "--spacing",
    type=SPACING,
    metavar="MM|MMxMMxMM",
    help="Output spacing in mm, instead of a factor.",
)
@click.option(
    "--self-ensemble",
    type=click.Choice(["none", "mean", "median"]),
    default="none",
    show_default=True,
    help="Combine the outputs of rotated and mirrored slices: 8 (hw) and 4 (d) times the runs of the network.",
)
@click.option(
    "--data-consistency",
    is_flag=True,
    help="Correct the result so that, downsampled again, it matches SCAN (back-projection).",
)
@click.option(
    "--memory",
    type=SIZE,
    metavar="SIZE",
    help="Memory limit, such as 4G.  [default: most of the free memory]",
)
@click.option("--adapt", is_flag=True, help="First adapt the d stage to SCAN's own slices, where that gains.")
@adapt_steps_option
@slice_thickness_option
@click.option(
    "--save-adapted",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With --adapt: keep the adapted stage in a folder, for --model and export.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan with its estimated time and memory; write nothing.")
@click.option("--dtype", metavar="TYPE", help="Data type of the output file, such as int16.  [default: that of SCAN]")
@quality_option
@model_option
@modality_option
@slice_axis_option
@nan_fill_option
@force_option
def predict(scan: Path, output: Path, scale: Any, spacing: Any, **options: Any) -> None:
    """Super-resolve SCAN. The result lies exactly over it in a viewer.

    SCAN is a NIfTI file, a folder of NIfTI files, a DICOM file, or a folder or .zip with a DICOM series. For a DICOM
    SCAN, an OUTPUT without .nii or .nii.gz is a new folder for a DICOM series of the same study.

    \b
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --scale 2
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --spacing 0.5x0.5x1
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --scale 1x1x4 --adapt
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --memory 4G --dry-run
    sr-keras predict scans/ -o super_resolved/
    sr-keras predict series/ -o super_resolved_series/
    """  # noqa: D301 (click's mark that keeps line breaks)
    if scale and spacing:
        raise click.UsageError("Give --scale or --spacing, not both.")
    from sr_keras.inference.jobs import PredictionJob
    from sr_keras.io.scans import Choice, is_scan_folder

    job = PredictionJob(
        replace(
            load_upscaler(options["models"], options["quality"], options["self_ensemble"]),
            data_consistency=options["data_consistency"],
            adapter=to_adapter(scan, options),
        ),
        factors=scale or (2, 2, 2),
        spacing=spacing,
        slice_axis=options["slice_axis"],
        dtype=options["dtype"],
        modality=to_modality(options["modality"]),
        nan_fill=options["nan_fill"],
        force=options["force"],
        choice=Choice(options["series"], options["frame_group"]),
        memory=options["memory"],
    )
    is_folder = scan.is_dir() and not is_scan_folder(scan)
    run = (_plan_folder if is_folder else _plan_scan) if options["dry_run"] else _run_folder if is_folder else _run_scan
    run(job, scan, output)


def _run_scan(job: "PredictionJob", scan: Path, output: Path) -> None:
    from sr_keras.progress import progress_report

    start = time.monotonic()
    warnings: list[str] = []
    with progress_report() as progress:
        written = job.run(scan, output, progress, warnings.append)
    # Not before the progress bar has ended, which would be drawn over them.
    for warning in warnings:
        click.echo(warning, err=True)
    click.echo(f"{output}: {written}, {time.monotonic() - start:.1f} s")


def _run_folder(job: "PredictionJob", folder: Path, output: Path) -> None:
    from sr_keras.inference.folders import run_folder
    from sr_keras.progress import progress_report

    start = time.monotonic()
    with progress_report() as progress:
        summary = run_folder(job, folder, output, click.echo, progress, partial(click.echo, err=True))
    counts = f"{summary.done} done, {summary.skipped} skipped, {summary.failed} failed"
    ignored = f", {summary.ignored} ignored" if summary.ignored else ""
    click.echo(f"{counts}{ignored}, {time.monotonic() - start:.1f} s")
    if summary.failed:
        sys.exit(1)


def _plan_scan(job: "PredictionJob", scan: Path, output: Path) -> None:
    from sr_keras.cli.plan import print_plan

    job.check_output(scan, output)
    print_plan(job.prepare(scan, output))


def _plan_folder(job: "PredictionJob", folder: Path, output: Path) -> None:
    from sr_keras.cli.plan import plan_line
    from sr_keras.inference.folders import plan_folder

    seconds = 0.0
    for name, prepared in plan_folder(job, folder, output):
        click.echo(f"{name}: {prepared if isinstance(prepared, str) else plan_line(prepared)}")
        seconds += 0.0 if isinstance(prepared, str) else prepared.plan.seconds
    click.echo(f"{seconds:.0f} s in all")
