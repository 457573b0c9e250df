"""`sr-keras bids`: a BIDS App that super-resolves the anatomical scans of a data set."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.cli.cohort import cohort_options, part_of, print_group, print_plan, recipe_of, run_items
from sr_keras.cli.options import DTYPE

if TYPE_CHECKING:
    from sr_keras.cohort.bids_finding import Selection

# Options that take several values, as BIDS Apps have them: --participant-label 01 02 03.
LISTS = ("--participant-label", "--participant_label", "--session-label", "--session_label", "--suffix")
POSITIONAL = 3


class BidsApp(click.Command):
    """A command whose list options take several words, once its three arguments have been given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each further word an option of its own."""
        if len(args) >= POSITIONAL and not any(word.startswith("-") for word in args[:POSITIONAL]):
            args = [*args[:POSITIONAL], *_spread(args[POSITIONAL:])]
        return super().parse_args(ctx, args)


@click.command(cls=BidsApp)
@click.argument("bids_dir", type=click.Path(path_type=Path))
@click.argument("output_dir", type=click.Path(path_type=Path))
@click.argument("level", type=click.Choice(["participant", "group"]))
@click.option(
    "--participant-label",
    "--participant_label",
    multiple=True,
    metavar="LABEL...",
    help="Participants, with or without sub-.  [default: all]",
)
@click.option(
    "--session-label",
    "--session_label",
    multiple=True,
    metavar="LABEL...",
    help="Sessions, with or without ses-.  [default: all]",
)
@click.option("--suffix", multiple=True, metavar="SUFFIX...", help="Kinds of scans.  [default: T1w,T2w,FLAIR,ct]")
@click.option(
    "--bids-filter-file", type=click.Path(path_type=Path), help="JSON file that chooses among scans, as fMRIPrep takes."
)
@click.option(
    "--dtype", type=DTYPE, metavar="TYPE", help="Data type of the results, such as int16.  [default: that of the scan]"
)
@cohort_options
def bids(bids_dir: Path, output_dir: Path, level: str, **options: Any) -> None:
    """Super-resolve the anatomical scans of a BIDS data set.

    The results go to OUTPUT_DIR, a BIDS derivative. A rerun does what is missing; --force makes again what was made
    with other options. LEVEL participant does scans, LEVEL group writes a table and a page of all.

    \b
    sr-keras bids data/ derivatives/sr participant
    sr-keras bids data/ derivatives/sr participant --participant-label 01 02 --suffix T1w --workers 4
    sr-keras bids data/ derivatives/sr participant --part 3/16
    sr-keras bids data/ derivatives/sr group
    """  # noqa: D301 (click's mark that keeps line breaks)
    from sr_keras.cohort.bids_finding import find_scans
    from sr_keras.cohort.bids_names import resolution_label

    recipe = recipe_of(options)
    scans = find_scans(bids_dir, output_dir, _selection(options), resolution_label(recipe.factors, recipe.spacing))
    if level == "group":
        print_group(output_dir, scans)
    elif options["dry_run"]:
        print_plan(recipe, scans, output_dir)
    else:
        from sr_keras.cohort.bids_dataset import begin_dataset

        begin_dataset(bids_dir, output_dir, dict(recipe.job().request["models"]))
        run_items(recipe, scans, output_dir, options)


def _selection(options: dict[str, Any]) -> "Selection":
    from sr_keras.cohort.bids_filters import read_filters
    from sr_keras.cohort.bids_finding import SUFFIXES, Selection

    file = options["bids_filter_file"]
    return Selection(
        participants=_words(options["participant_label"]),
        sessions=_words(options["session_label"]),
        suffixes=_words(options["suffix"]) or SUFFIXES,
        filters=read_filters(file) if file else {},
        part=part_of(options),
    )


def _words(values: tuple[str, ...]) -> list[str]:
    """Return the values of an option, given apart, with commas or with spaces."""
    return [word for value in values for word in re.split(r"[,\s]+", value) if word]


def _spread(args: list[str]) -> list[str]:
    spread, option = [], ""
    for word in args:
        if word.startswith("-"):
            option = word if word in LISTS else ""
            spread.append(word)
        elif option and spread[-1] != option:
            spread += [option, word]
        else:
            spread.append(word)
    return spread
