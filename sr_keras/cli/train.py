"""`sr-keras train`: train a stage on scans."""

from pathlib import Path

import click


@click.command()
@click.argument("configuration", required=False)
@click.option(
    "--data", multiple=True, type=click.Path(path_type=Path), help="Training scan or folder of scans; may be repeated."
)
@click.option(
    "--validation",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Validation scan or folder of scans; may be repeated.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the new run.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue an interrupted run.")
def train(
    configuration: str | None,
    data: tuple[Path, ...],
    validation: tuple[Path, ...],
    output: Path | None,
    resume: Path | None,
) -> None:
    """Train a stage as CONFIGURATION says, a YAML file or the name of a shipped one.

    \b
    sr-keras train georgescu2020_hw_x2 --data scans/train --validation scans/val -o runs/hw_x2
    """  # noqa: D301 (click's mark that keeps line breaks)
    new = (configuration, data, validation, output)
    if any(new) if resume else not all(new):
        raise click.UsageError("Give a CONFIGURATION with --data, --validation and -o, or --resume RUN alone.")
    from sr_keras.framework import require_tensorflow
    from sr_keras.inference.folders import find_scans
    from sr_keras.training.configuration import read_configuration

    parsed = None if resume else read_configuration(str(configuration))
    require_tensorflow("Training")
    from sr_keras.training.run import resume_training, start_training

    run = resume or Path(str(output))
    scans, others = (find_scans(paths) if parsed else [] for paths in (data, validation))
    _warn_of_shared(scans, others)
    try:
        card = start_training(parsed, scans, others, run) if parsed else resume_training(run)
    except KeyboardInterrupt:
        if run.is_dir():
            click.echo(f"Continue this run with: sr-keras train --resume {run}", err=True)
        raise
    click.echo(f"trained {card}")


def _warn_of_shared(training: list[Path], validation: list[Path]) -> None:
    """Say if scans are both learned from and judged by: then scores show what the network remembers."""
    learned = {path.resolve() for path in training}
    shared = [path.name for path in validation if path.resolve() in learned]
    if shared:
        names = shared[0] if len(shared) == 1 else f"{shared[0]} and {len(shared) - 1} more scans"
        verb = "is" if len(shared) == 1 else "are"
        click.echo(
            f"Warning: {names} {verb} in --data and in --validation; validate on other patients, or the scores mean "
            "little.",
            err=True,
        )
