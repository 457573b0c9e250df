"""`sr-keras evaluate`: measure PSNR and SSIM on scans whose ground truth is known."""

import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.cli.options import (
    force_option,
    load_upscalers,
    modality_option,
    model_option,
    nan_fill_option,
    slice_axis_option,
    to_modality,
)
from sr_keras.errors import ConfigurationError, SrKerasError

if TYPE_CHECKING:
    from sr_keras.evaluation.protocol import Task
    from sr_keras.volumes.volume import Volume


@click.command()
@click.argument("scans", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--scale",
    type=click.IntRange(min=2),
    default=2,
    show_default=True,
    help="Factor of downsampling and of super-resolution.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Choice(["in-plane", "through-plane", "3-D"]),
    help="Axes to downsample; may be repeated.  [default: all tasks that the models can do]",
)
@click.option(
    "--acquisition",
    metavar="NAME|FILE",
    help="Downsample as a scanner would: a preset or a YAML file.  [default: antialiased cubic interpolation]",
)
@click.option("--json", "json_output", type=click.Path(path_type=Path), help="Write the scores to a JSON file.")
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="Draw a detail of the first task for every method, with error maps.",
)
@click.option(
    "--report", "page", type=click.Path(path_type=Path), help="Write scores and figures to a page, an .html file."
)
@model_option
@modality_option
@slice_axis_option
@nan_fill_option
@force_option
def evaluate(
    scans: tuple[Path, ...],
    scale: int,
    tasks: "tuple[Task, ...]",
    json_output: Path | None,
    figure: Path | None,
    page: Path | None,
    **options: Any,
) -> None:
    """Downsample each of SCANS, super-resolve it with every method, and compare the results with the original.

    SCANS are high-resolution NIfTI files, folders of them, or DICOM series.
    """
    from sr_keras.acquisition.presets import acquisition_named
    from sr_keras.framework import load_module, load_scikit_image

    for module in ("PIL", "matplotlib"):
        load_module(module, "sr_keras[evaluate]")
    load_scikit_image("skimage.metrics")
    from sr_keras.evaluation.figure import check_format, draw_figure
    from sr_keras.evaluation.protocol import TASKS, check_tasks, evaluate_scans
    from sr_keras.evaluation.tables import print_scores, score_rows, write_scores
    from sr_keras.files import check_distinct, check_output, distinct_names
    from sr_keras.inference.folders import find_scans
    from sr_keras.io.scans import read_scan
    from sr_keras.models.registry import modality_warning
    from sr_keras.progress import progress_report
    from sr_keras.report.comparison import ComparisonPage
    from sr_keras.report.page import check_page

    upscalers = load_upscalers(options["models"])
    try:
        chosen = check_tasks(upscalers, scale, tasks or TASKS)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    acquisition = acquisition_named(options["acquisition"]) if options["acquisition"] else None
    found = find_scans(scans, dicom=True)
    names = dict(zip(map(str, found), distinct_names(found), strict=True))
    if figure:
        check_format(figure)
        if len(found) > 1:
            raise click.UsageError(f"--figure draws one scan, not {len(found)}; give one.")
    for output in filter(None, (json_output, figure)):
        check_output(output, force=options["force"])
    if page:
        check_page(page, force=options["force"])
    for output, source in product(filter(None, (json_output, figure, page)), [*found, *map(Path, options["models"])]):
        check_distinct(source, output)
    comparisons = ComparisonPage(_setting(scale, options["acquisition"]))
    cards = [engine.card for upscaler in upscalers.values() for engine in upscaler.engines]
    modality, nan_fill, axis = to_modality(options["modality"]), options["nan_fill"], options["slice_axis"]
    rows: list[dict[str, Any]] = []
    failed: list[str] = []

    def read(path: Path) -> "Volume":
        volume = read_scan(path, modality=modality, nan_fill=nan_fill)
        if warning := modality_warning(volume, cards):
            click.echo(warning, err=True)
        return volume

    def fail(path: Path, error: SrKerasError) -> None:
        if len(found) == 1:
            raise error
        failed.append(f"{names[str(path)]}: {error}")
        click.echo(f"Error: {failed[-1]}", err=True)

    with progress_report() as report:
        for comparison, scores in evaluate_scans(
            found, read, chosen, scale, upscalers, slice_axis=axis, acquisition=acquisition, report=report, fail=fail
        ):
            name = names[comparison.ground_truth.source]
            if figure and not rows:
                draw_figure(comparison, scores, figure, force=options["force"])
            if page:
                comparisons.add(comparison, scores, name)
            rows += score_rows(comparison, scores, name)
    print_scores(rows)
    if json_output:
        write_scores(rows, json_output, force=options["force"])
    if page:
        comparisons.write(rows, page, failed, force=options["force"])
    if failed:
        click.echo(f"{len(failed)} of {len(found)} scans failed", err=True)
        sys.exit(1)


def _setting(scale: int, acquisition: str | None) -> str:
    """Return how scans are downsampled, in a sentence."""
    how = f"as a scanner would ({acquisition})" if acquisition else "by antialiased cubic interpolation"
    return f"Scans were downsampled by {scale} {how}."
