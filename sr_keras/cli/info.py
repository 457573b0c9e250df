"""`sr-keras info`: print the manifest of an exported file."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def info(file: Path) -> None:
    """Print the manifest of FILE as JSON: FILE.json if it exists, else the metadata inside FILE."""
    from sr_keras.engines.loading import manifest_of

    click.echo(json.dumps(asdict(manifest_of(file)), indent=2))
