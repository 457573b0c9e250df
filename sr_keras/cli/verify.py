"""`sr-keras verify`: compare an exported file with its stage on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sr_keras.cli.options import load_slices, scan_option

if TYPE_CHECKING:
    from sr_keras.engines.loading import Kind


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model", metavar="NAME|RUN", help="Stage that FILE was exported from.  [default: found among the shipped models]"
)
@click.option("--engine", type=click.Choice(["webgpu"]), help="Run an ONNX FILE on a GPU by WebGPU.")
@scan_option
def verify(file: Path, model: str | None, engine: "Kind | None", scan: Path | None) -> None:
    """Run FILE on real slices, compare it with its stage, and write the result to its manifest."""
    from sr_keras.cli.export import print_exports
    from sr_keras.export import verify as verify_model_file

    print_exports([(file, verify_model_file(file, load_slices(scan), model, engine))])
