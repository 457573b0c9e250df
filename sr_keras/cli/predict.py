"""`sr-keras predict`: super-resolve scans and folders of scans."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.cli.options import (
    DTYPE,
    SIZE,
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
from sr_keras.cli.predict_options import (
    acquisition_options,
    choice_options,
    grid_options,
    label_options,
    label_pairs,
    map_options,
    method_options,
    shell_options,
)
from sr_keras.cli.voice import Voice
from sr_keras.errors import SrKerasError

if TYPE_CHECKING:
    from sr_keras.inference.folders import NamedScan
    from sr_keras.inference.jobs import PredictionJob


@click.command()
@click.argument("scans", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCAN...")
@click.option("-o", "--output", required=True, metavar="PATH", help="An image file, or a folder for several results.")
@choice_options
@click.option(
    "--volume", type=click.IntRange(min=1), metavar="N", help="Volume of a time series, from 1.  [default: all]"
)
@grid_options
@acquisition_options
@method_options
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
@click.option(
    "--dtype", type=DTYPE, metavar="TYPE", help="Data type of the output file, such as int16.  [default: that of SCAN]"
)
@label_options
@map_options
@quality_option
@model_option
@modality_option
@slice_axis_option
@nan_fill_option
@force_option
@shell_options
def predict(scans: tuple[Path, ...], output: str, **options: Any) -> None:
    """Super-resolve each SCAN. The result lies exactly over it in a viewer.

    SCAN is an image file (NIfTI, MGH, NRRD, MetaImage), a folder of them, a DICOM file, or a folder or .zip with a
    DICOM series. For a DICOM SCAN, an OUTPUT without the suffix of an image file is a new folder for a DICOM series of
    the same study. With several SCANs, and where OUTPUT ends in a slash, OUTPUT is a folder, and each result has the
    name of its scan.

    \b
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --scale 2
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --spacing 0.5x0.5x1
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --labels labels.nii.gz labels_super_resolved.nii.gz
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --scale 1x1x4 --adapt
    sr-keras predict scan.nii.gz -o super_resolved.nii.gz --memory 4G --dry-run
    sr-keras predict scans/ -o super_resolved/
    sr-keras predict series/ -o super_resolved_series/
    """  # noqa: D301 (click's mark that keeps line breaks)
    from sr_keras.inference.folders import expanded
    from sr_keras.machine import limited_threads

    voice = Voice(quiet=options["quiet"], verbose=options["verbose"], as_json=options["as_json"])
    with limited_threads(options["threads"]), voice.log():
        found = expanded(scans)
        job = _job(found, options)
        target = Path(output)
        if _is_single(found, output):
            if options["dry_run"]:
                _plan_scan(job, found[0], target, voice)
            else:
                _run_scan(job, found[0], target, voice, options["report"])
            return
        if options["report"]:
            raise click.UsageError("--report goes with one SCAN; run sr-keras report for each of several.")
        if job.labels or job.maps.outputs:
            name = "--labels" if job.labels else "--uncertainty" if job.maps.uncertainty else "--residual"
            raise click.UsageError(f"{name} goes with one SCAN and a file as OUTPUT.")
        _run_several(job, found, target, voice, dry_run=options["dry_run"])


def _job(scans: list[Path], options: dict[str, Any]) -> "PredictionJob":
    from sr_keras.adaptation.thickness import recorded_profile
    from sr_keras.export.presumed import conditions_of
    from sr_keras.inference.jobs import PredictionJob
    from sr_keras.inference.maps import Maps
    from sr_keras.io.scans import Choice

    if sum(bool(options[name]) for name in ("scale", "spacing", "like", "isotropic")) > 1:
        raise click.UsageError("Give --scale or --spacing, --like or --isotropic, not both.")
    upscaler = load_upscaler(
        options["models"], options["quality"], options["self_ensemble"], options["engine"], options["threads"]
    )
    return PredictionJob(
        replace(
            upscaler,
            data_consistency=options["data_consistency"],
            conditions=conditions_of(options["noise"], options["acquisition"]),
            adapter=to_adapter(scans, options),
            uncertainty=options["uncertainty"] is not None,
        ),
        factors=options["scale"] or (2, 2, 2),
        spacing=options["spacing"],
        isotropic=options["isotropic"],
        like=options["like"],
        slice_axis=options["slice_axis"],
        dtype=options["dtype"],
        modality=to_modality(options["modality"]),
        nan_fill=options["nan_fill"],
        force=options["force"],
        choice=Choice(options["series"], options["frame_group"], options["volume"]),
        memory=options["memory"],
        labels=label_pairs(options["labels"]),
        label_interpolation=options["label_interpolation"],
        maps=Maps(options["uncertainty"], options["residual"], recorded_profile),
    )


def _is_single(scans: list[Path], output: str) -> bool:
    """Say whether an output is that of one scan, and not a folder for results."""
    from sr_keras.io.image_names import is_image
    from sr_keras.io.scans import is_image_file, is_scan_folder

    (scan,), more = scans[:1], scans[1:]
    if more or (scan.is_dir() and not is_scan_folder(scan)):
        return False
    # A DICOM series becomes a folder of its own, whatever its name ends in.
    return not is_image_file(scan) or is_image(output) or not (output.endswith(("/", "\\")) or Path(output).is_dir())


def _run_scan(job: "PredictionJob", scan: Path, output: Path, voice: Voice, page: Path | None) -> None:
    try:
        write_page = _page_writer(job, scan, output, page)
        with voice.progress() as progress:
            outcome = job.process(scan, output, progress)
        write_page()
    except SrKerasError as error:
        voice.record(scan, output, "failed", reason=str(error))
        raise
    for warning in outcome.warnings:
        voice.warn(warning)
    voice.say(f"{output}: {outcome.summary}, {outcome.seconds:.1f} s")
    voice.record(scan, output, "done", outcome)


def _page_writer(job: "PredictionJob", scan: Path, output: Path, page: Path | None) -> Callable[[], object]:
    """Refuse a page before any work is done for it; return what writes it when the result is there."""
    if page is None:
        return lambda: None
    from sr_keras.report.writing import check_report, report_of, write_report

    report = report_of(job, scan, output)
    check_report(report, page, force=job.force)
    return partial(write_report, report, page, force=job.force)


def _plan_scan(job: "PredictionJob", scan: Path, output: Path, voice: Voice) -> None:
    from sr_keras.cli.plan import print_plan
    from sr_keras.inference.outcomes import planned_of

    job.check_output(scan, output)
    prepared = job.prepare(scan, output)
    if voice.as_json:
        voice.record(scan, output, "planned", facts=planned_of(prepared))
    elif not voice.quiet:
        print_plan(prepared)


def _run_several(job: "PredictionJob", paths: list[Path], output: Path, voice: Voice, *, dry_run: bool) -> None:
    from sr_keras.inference.folders import check_folder, ignored_series, named_scans, run_scans, summary_of

    scans = named_scans(paths)
    check_folder(scans, output, paths)
    for line in ignored_series(paths):
        voice.warn(line)
    if dry_run:
        _plan_several(job, scans, output, voice)
        return
    statuses, seconds = [], 0.0
    with voice.progress() as progress:
        for attempt in run_scans(job, scans, output, progress):
            for warning in attempt.outcome.warnings if attempt.outcome else ():
                voice.warn(f"{attempt.scan.path.name}: {warning}")
            voice.say(attempt.line)
            voice.record(attempt.scan.path, attempt.output, attempt.status, attempt.outcome, attempt.reason)
            statuses.append(attempt.status)
            seconds += attempt.outcome.seconds if attempt.outcome else 0.0
    summary = summary_of(statuses)
    voice.say(f"{summary.done} done, {summary.skipped} skipped, {summary.failed} failed, {seconds:.1f} s")
    if summary.failed:
        sys.exit(1)


def _plan_several(job: "PredictionJob", scans: "list[NamedScan]", output: Path, voice: Voice) -> None:
    from sr_keras.cli.plan import plan_line
    from sr_keras.inference.folders import plan_scans
    from sr_keras.inference.outcomes import planned_of

    seconds = 0.0
    for scan, prepared in plan_scans(job, scans, output):
        if isinstance(prepared, str):
            voice.say(f"{scan.name}: {prepared}")
            voice.record(scan.path, output / scan.name, "failed" if "fails" in prepared else "skipped", reason=prepared)
            continue
        voice.say(f"{scan.name}: {plan_line(prepared)}")
        voice.record(scan.path, output / scan.name, "planned", facts=planned_of(prepared))
        seconds += prepared.count * prepared.plan.total_seconds
    voice.say(f"{seconds:.0f} s in all")
