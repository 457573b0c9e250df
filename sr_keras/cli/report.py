"""`sr-keras report`: show a result beside its scan in a page of one file."""

from pathlib import Path
from typing import Any

import click

from sr_keras.cli.options import force_option, modality_option, nan_fill_option, to_modality
from sr_keras.cli.predict_options import choice_options

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("scan", type=PATH)
@click.argument("result", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, metavar="FILE.html", help="The page.")
@click.option("--uncertainty", type=PATH, metavar="MAP", help="Map of `predict --uncertainty`, shown over RESULT.")
@click.option("--residual", type=PATH, metavar="MAP", help="Map of `predict --residual`, shown over RESULT.")
@click.option("--identify", is_flag=True, help="Name the files and, of DICOM, the patient. The page names nobody else.")
@choice_options
@click.option("--volume", type=click.IntRange(min=1), metavar="N", help="Volume of a time series.  [default: 1]")
@modality_option
@nan_fill_option
@force_option
def report(scan: Path, result: Path, output: Path, **options: Any) -> None:
    """Show RESULT, made of SCAN, beside it in a page of one file that needs no network.

    SCAN and RESULT are image files or DICOM series. The page shows three planes, how the result was made, and how sharp
    scan and result are.

    \b
    sr-keras report scan.nii.gz super_resolved.nii.gz -o report.html
    sr-keras report series/ super_resolved_series/ -o report.html
    """  # noqa: D301 (click's mark that keeps line breaks)
    from sr_keras.io.scans import Choice
    from sr_keras.report.writing import Report, write_report

    maps = {name: options[name] for name in ("uncertainty", "residual") if options[name]}
    what = Report(
        scan,
        result,
        maps,
        identify=options["identify"],
        choice=Choice(options["series"], options["frame_group"], options["volume"]),
        modality=to_modality(options["modality"]),
        nan_fill=options["nan_fill"],
    )
    for warning in write_report(what, output, force=options["force"]):
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
