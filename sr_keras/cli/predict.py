"""`sr-keras predict`: super-resolve a scan or a folder of scans."""

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
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A .nii or .nii.gz file, or a folder."
)
@click.option("--series", metavar="NUMBER|UID", help="Series to read from a DICOM folder that holds several.")
@click.option(
    "--frame-group", type=int, metavar="N", help="Time point or echo to read from a DICOM series, counted from 1."
)
@click.option("--scale", metavar="N|NxNxN", help="Factor for all axes, or one per axis of the file.  [default: 2]")
@click.option("--spacing", metavar="MM|MMxMMxMM", help="Output spacing in mm, instead of a factor.")
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
@click.option("--memory", metavar="SIZE", help="Memory limit, such as 4G.  [default: most of the free memory]")
@click.option("--dry-run", is_flag=True, help="Print the plan with its estimated time and memory; write nothing.")
@click.option("--dtype", metavar="TYPE", help="Data type of the output file, such as int16.  [default: that of SCAN]")
@quality_option
@model_option
@modality_option
@slice_axis_option
@nan_fill_option
@force_option
def predict(scan: Path, output: Path, scale: str | None, spacing: str | None, **options: Any) -> None:
    """Super-resolve SCAN. The result lies exactly over it in a viewer.

    SCAN is a NIfTI file, a folder of NIfTI files, a DICOM file, or a folder or .zip with a DICOM series. For a DICOM
    SCAN, an OUTPUT without .nii or .nii.gz is a new folder for a DICOM series of the same study.

    \b
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --scale 2
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --spacing 0.5x0.5x1
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --memory 4G --dry-run
    sr-keras predict scans/ -o super_resolved/
    sr-keras predict series/ -o super_resolved_series/
    """  # noqa: D301 (click's mark that keeps line breaks)
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
