"""`sr-keras train`: from scans to a trained stage."""

from pathlib import Path

import click


@click.command()
@click.argument("configuration", required=False)
@click.option(
    "--data", multiple=True, type=click.Path(path_type=Path), help="A scan to train on, or a folder of scans."
)
@click.option("--validation", multiple=True, type=click.Path(path_type=Path), help="The same for validation.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new run's folder.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with an interrupted run instead.")
def train(
    configuration: str | None,
    data: tuple[Path, ...],
    validation: tuple[Path, ...],
    output: Path | None,
    resume: Path | None,
) -> None:
    """Train a stage by CONFIGURATION, a YAML file or the name of one that ships.

    Example: sr-keras train georgescu2020_hw_x2 --data scans/train --validation scans/val -o runs/hw_x2
    """
    new = any((configuration, data, validation, output))
    if new if resume else not (configuration and output):
        raise click.UsageError("Give a CONFIGURATION with --data, --validation and -o, or --resume RUN alone.")
    from sr_keras.framework import require_tensorflow
    from sr_keras.training.configuration import read_configuration

    if resume is not None:
        require_tensorflow("Training")
        from sr_keras.training.run import resume_training

        card = resume_training(resume)
    else:
        parsed = read_configuration(str(configuration))
        require_tensorflow("Training")
        from sr_keras.inference.jobs import find_scans
        from sr_keras.training.run import start_training

        card = start_training(parsed, find_scans(data), find_scans(validation), Path(str(output)))
    click.echo(f"trained {card}")
