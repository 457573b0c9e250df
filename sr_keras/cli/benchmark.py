"""`sr-keras benchmark`: measure latency and throughput of each engine on this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from sr_keras.cli.options import Parsed, force_option
from sr_keras.errors import ConfigurationError

SETTINGS = "sr_keras.benchmark.settings"


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL|FILE...")
@click.option(
    "--engine", "engines", metavar="LIST", help="Export each MODEL to these engines and time them: keras,onnx,litert..."
)
@click.option("--precision", default="fp32", show_default=True, help="Precision of the files that --engine exports.")
@click.option(
    "--shape",
    type=Parsed("size", SETTINGS, "parse_size"),
    default="256x256",
    show_default=True,
    metavar="HxW",
    help="Size of the low-resolution slices, in pixels.",
)
@click.option(
    "--batch",
    type=Parsed("list", SETTINGS, "parse_batches"),
    default="1,8",
    show_default=True,
    metavar="LIST",
    help="Batch sizes of the offline scenario.",
)
@click.option(
    "--scenario",
    type=click.Choice(["single-stream", "offline", "volume"]),
    default="offline",
    show_default=True,
    help="One slice at a time, batches of slices, or a whole scan.",
)
@click.option("--scan", type=click.Path(), help="Scan of the volume scenario.  [default: 32 slices of noise]")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each engine.  [default: all cores]")
@click.option("--duration", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds per repeat.")
@click.option("--json", "json_output", type=click.Path(path_type=Path), help="Write all timings to a JSON file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Plot the timings to an image file.")
@force_option
def benchmark(
    models: tuple[str, ...],
    engines: str | None,
    precision: str,
    shape: tuple[int, int],
    batch: tuple[int, ...],
    scenario: str,
    scan: str | None,
    threads: int | None,
    duration: float,
    json_output: Path | None,
    plot: Path | None,
    force: bool,
) -> None:
    """Time models and exported files of one stage on this machine, in three interleaved repeats.

    The first model or file is the baseline that the others are compared with.

    \b
    sr-keras benchmark georgescu2020_hw_x2 --engine keras,saved_model,onnx,litert,openvino --json times.json
    sr-keras benchmark a.onnx b.onnx --scenario single-stream
    """  # noqa: D301 (click's mark that keeps line breaks)
    from sr_keras.benchmark.candidates import find_candidates
    from sr_keras.benchmark.report import draw_report, print_report, write_report
    from sr_keras.benchmark.session import run_benchmark
    from sr_keras.benchmark.settings import Settings
    from sr_keras.files import check_distinct, check_output

    for output in filter(None, (json_output, plot)):
        check_output(output, force=force)
        for source in (*models, *([scan] if scan else [])):
            check_distinct(Path(source), output)
    settings = Settings(scenario, *shape, batch, duration, 3, threads, scan)  # type: ignore[arg-type]
    with TemporaryDirectory() as folder:
        try:
            candidates = find_candidates(models, engines, precision, Path(folder))
        except ConfigurationError as error:
            raise click.UsageError(str(error)) from error
        report = run_benchmark(candidates, settings, lambda news: click.echo(news, err=True))
    print_report(report)
    if json_output:
        write_report(report, json_output, force=force)
    if plot:
        draw_report(report, plot, force=force)
