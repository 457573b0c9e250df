"""The command line: each command a module that parses, makes one library call, and prints.

Command modules import nothing heavy at their top, so that `--help` answers at once.
"""

import signal
import sys
from types import FrameType

import click

from sr_keras.cli.benchmark import benchmark
from sr_keras.cli.evaluate import evaluate
from sr_keras.cli.export import export
from sr_keras.cli.info import info
from sr_keras.cli.models import models
from sr_keras.cli.predict import predict
from sr_keras.cli.train import train
from sr_keras.cli.verify import verify
from sr_keras.errors import SrKerasError


class Commands(click.Group):
    """A group whose errors are one line on stderr and exit code 1, and whose interruption by Ctrl-C is code 130."""

    def invoke(self, context: click.Context) -> object:
        """Run the command; what is no `SrKerasError` is a bug and shows its traceback."""
        try:
            return super().invoke(context)
        except SrKerasError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(128 + signal.SIGINT)


@click.group(cls=Commands)
@click.version_option(package_name="sr_keras", prog_name="sr-keras")
def main() -> None:
    """Make CT and MRI scans sharper by super-resolution."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, so that temporary files are removed on the way out."""
    sys.exit(128 + number)


for command in (benchmark, evaluate, export, info, models, predict, train, verify):
    main.add_command(command)
