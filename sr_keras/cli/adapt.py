"""`sr-keras adapt`: adapt a stage to scans without super-resolving them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sr_keras.cli.options import (
    SIZE,
    adapt_steps_option,
    force_option,
    modality_option,
    nan_fill_option,
    slice_axis_option,
    slice_thickness_option,
    to_modality,
    to_settings,
)
from sr_keras.cli.predict_options import NOISE_OPTION, choice_options
from sr_keras.models.registry import DEFAULT_FAMILY
from sr_keras.networks import FAMILIES


@click.command()
@click.argument("scans", metavar="SCAN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the adapted stage.")
@click.option(
    "--scale",
    type=click.IntRange(2, 8),
    default=2,
    show_default=True,
    help="Factor of the stage along the through-plane axis.",
)
@click.option(
    "--model", metavar="NAME|RUN", help="d stage to start from.  [default: the one that ships for the factor]"
)
@click.option("--quality", type=click.Choice(FAMILIES), help=f"Family to start from.  [default: {DEFAULT_FAMILY}]")
@choice_options
@NOISE_OPTION
@adapt_steps_option
@slice_thickness_option
@modality_option
@slice_axis_option
@nan_fill_option
@click.option(
    "--memory", type=SIZE, metavar="SIZE", help="Memory limit, such as 4G.  [default: most of the free memory]"
)
@force_option
def adapt(scans: tuple[Path, ...], output: Path, scale: int, **options: Any) -> None:
    """Adapt a d stage to SCAN: a NIfTI file or a DICOM series, or several of one protocol, or a folder of them.

    \b
    sr-keras adapt scan.nii.gz -o adapted --scale 4
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --scale 1x1x4 --model adapted
    """  # noqa: D301 (click's mark that keeps line breaks)
    if options["model"] and options["quality"]:
        raise click.UsageError("Give --model or --quality, not both.")
    from sr_keras.adaptation.files import adapt_files, shipped_start
    from sr_keras.io.scans import Choice
    from sr_keras.models.stages import find_stage
    from sr_keras.progress import progress_report

    name, family, start = options["model"], options["quality"] or DEFAULT_FAMILY, time.monotonic()
    with progress_report() as progress:
        outcome = adapt_files(
            scans,
            output,
            scale,
            find_stage(name) if name else shipped_start(family, scale),
            replace(to_settings(options), noise_kept=options["noise"]),
            choice=Choice(options["series"], options["frame_group"]),
            modality=to_modality(options["modality"]),
            slice_axis=options["slice_axis"],
            nan_fill=options["nan_fill"],
            memory=options["memory"],
            force=options["force"],
            progress=progress,
        )
    click.echo(f"{output}: {outcome.line}, {time.monotonic() - start:.1f} s")
