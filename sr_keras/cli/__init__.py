"""The command line. Each command is a module that parses its arguments, makes one library call and prints.

Command modules import nothing heavy at module level, so that `--help` is instant.
"""

import os
import signal
import sys
from types import FrameType

import click

from sr_keras.cli.adapt import adapt
from sr_keras.cli.benchmark import benchmark
from sr_keras.cli.bids import bids
from sr_keras.cli.evaluate import evaluate
from sr_keras.cli.export import export
from sr_keras.cli.info import info
from sr_keras.cli.models import models
from sr_keras.cli.predict import predict
from sr_keras.cli.report import report
from sr_keras.cli.studies import studies
from sr_keras.cli.train import train
from sr_keras.cli.verify import verify
from sr_keras.cli.web import web
from sr_keras.errors import SrKerasError, UnknownConfigurationError, UnknownModelError, printable
from sr_keras.framework import fit_address_space


class Commands(click.Group):
    """A group that reports errors in one line on stderr with exit code 1, and exits with code 130 on Ctrl-C."""

    def invoke(self, context: click.Context) -> object:
        """Run the command. Any exception other than `SrKerasError` is a bug and shows its traceback."""
        try:
            return super().invoke(context)
        except (UnknownModelError, UnknownConfigurationError) as error:
            raise click.UsageError(printable(str(error))) from error
        except SrKerasError as error:
            raise click.ClickException(printable(str(error))) from error
        except OSError as error:
            raise click.ClickException(_reason(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            from sr_keras.resources import MORE_MEMORY, is_shortage

            if not is_shortage(error):
                raise
            raise click.ClickException(f"Memory ran out; {MORE_MEMORY}.") from error


def _reason(error: OSError) -> str:
    """Return what the system refused, in one line."""
    if error.filename is not None:
        return f"{os.fspath(error.filename)!r}: {error.strerror}."
    # What is left in the buffer would be tried again, and reported again, when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"What the command says could not be written: {error.strerror or error}. Finished results are in place."


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sr_keras", prog_name="sr-keras")
def main() -> None:
    """Super-resolve CT and MRI scans with trained networks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Python has no stream where the caller closed it, as some schedulers do.
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (open to the end)
    signal.signal(signal.SIGTERM, _terminated)
    # A terminal that closes sends it; under nohup it is ignored, and stays so. Windows has none.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminated)
    fit_address_space()


def _terminated(number: int, frame: FrameType | None) -> None:
    """Exit by an exception, so that temporary files are removed."""
    sys.exit(128 + number)


for command in (adapt, benchmark, bids, evaluate, export, info, models, predict, report, studies, train, verify, web):
    main.add_command(command)
