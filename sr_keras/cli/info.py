"""`sr-keras info`: what an exported file is."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def info(file: Path) -> None:
    """Print the manifest of FILE as JSON: the one beside it, else the facts inside it."""
    from sr_keras.engines.loading import manifest_of

    click.echo(json.dumps(asdict(manifest_of(file)), indent=2))
