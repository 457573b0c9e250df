"""`sr-keras predict`: a scan in, a sharper scan out."""

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from sr_keras.cli.options import (
    force_option,
    load_upscaler,
    modality_option,
    model_option,
    nan_fill_option,
    quality_option,
    slice_axis_option,
    to_modality,
)


@click.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A .nii or .nii.gz, or a folder.")
@click.option("--series", metavar="NUMBER|UID", help="Which series of a DICOM folder, where it holds several.")
@click.option("--frame-group", type=int, metavar="N", help="Which time point or echo of a DICOM series, from 1.")
@click.option("--scale", metavar="N|NxNxN", help="Factor for all axes, or one for each axis of the file.  [default: 2]")
@click.option("--spacing", metavar="MM|MMxMMxMM", help="A spacing in mm to reach instead.")
@click.option(
    "--self-ensemble",
    type=click.Choice(["none", "mean", "median"]),
    default="none",
    show_default=True,
    help="Do each slice turned and mirrored as well, and join the results: 8 (hw) and 4 (d) times the work.",
)
@click.option(
    "--data-consistency",
    is_flag=True,
    help="Change the result, as little as possible, so that it gives SCAN back when reduced again.",
)
@click.option("--memory", metavar="SIZE", help="What to take at most, as in 4G.  [default: most of what is free]")
@click.option("--dry-run", is_flag=True, help="Print what would be done and what it would take, and write nothing.")
@click.option("--dtype", metavar="TYPE", help="Type of the voxels on disk.  [default: the scan's]")
@quality_option
@model_option
@modality_option
@slice_axis_option
@nan_fill_option
@force_option
def predict(scan: Path, output: Path, scale: str | None, spacing: str | None, **options: Any) -> None:
    """Enlarge SCAN so that the result lies exactly over it.

    SCAN is a NIfTI file, a folder of them, a DICOM file, or a folder or .zip with a DICOM series. Of DICOM, an OUTPUT
    without .nii or .nii.gz becomes a new folder with a DICOM series of the same study.

    \b
    sr-keras predict scan.nii.gz -o sharper.nii.gz --scale 2
    sr-keras predict scan.nii.gz -o sharper.nii.gz --spacing 0.5x0.5x1
    sr-keras predict scan.nii.gz -o sharper.nii.gz --memory 4G --dry-run
    sr-keras predict scans/ -o sharper/
    sr-keras predict series/ -o sharper_series/
    """  # noqa: D301 (click's mark for lines that stay as they are)
    if scale and spacing:
        raise click.UsageError("Give --scale or --spacing, not both.")
    from sr_keras.cli.plan import print_plan
    from sr_keras.files import parse_bytes
    from sr_keras.inference.jobs import PredictionJob, run_folder
    from sr_keras.inference.planning import parse_scale, parse_spacing
    from sr_keras.io.scans import Choice, is_scan_folder
    from sr_keras.progress import progress_report

    upscaler = load_upscaler(options["models"], options["quality"], options["self_ensemble"])
    job = PredictionJob(
        replace(upscaler, data_consistency=options["data_consistency"]),
        factors=parse_scale(scale or "2"),
        spacing=parse_spacing(spacing) if spacing else None,
        slice_axis=options["slice_axis"],
        dtype=options["dtype"],
        modality=to_modality(options["modality"]),
        nan_fill=options["nan_fill"],
        force=options["force"],
        choice=Choice(options["series"], options["frame_group"]),
        memory=parse_bytes(options["memory"]) if options["memory"] else None,
    )
    is_folder = scan.is_dir() and not is_scan_folder(scan)
    if options["dry_run"]:
        if is_folder:
            raise click.UsageError("Give one scan with --dry-run, not a folder of them.")
        print_plan(job.plan(scan, output), upscaler.engines)
        return
    start, notice = time.monotonic(), partial(click.echo, err=True)
    with progress_report() as report:
        if is_folder:
            summary = run_folder(job, scan, output, click.echo, report, notice)
        else:
            written = job.run(scan, output, report, notice)
    seconds = time.monotonic() - start
    if not is_folder:
        click.echo(f"{output}: {written}, {seconds:.1f} s")
        return
    click.echo(f"{summary.done} done, {summary.skipped} skipped, {summary.failed} failed, {seconds:.1f} s")
    if summary.failed:
        sys.exit(1)
