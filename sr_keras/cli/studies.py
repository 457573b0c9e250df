"""`sr-keras studies`: super-resolve every series in a folder of DICOM studies."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.cli.cohort import cohort_options, part_of, print_group, print_plan, recipe_of, run_items

if TYPE_CHECKING:
    from sr_keras.cohort.items import Folder
    from sr_keras.cohort.recipe import Recipe


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the new series.")
@click.option("--group", is_flag=True, help="Write a table and a page of what was done; do nothing else.")
@cohort_options
def studies(folder: Path, output: Path, group: bool, **options: Any) -> None:
    """Super-resolve every CT and MR series in FOLDER, which holds DICOM studies.

    Each folder and .zip in FOLDER is searched. Each volume in it, all time points and echoes too, becomes a new series
    of its study. What is no volume, such as a localiser or a mosaic, goes into the ledger with the reason. A rerun does
    what is missing; --force makes again what was made with other options.

    \b
    sr-keras studies studies/ -o super_resolved/
    sr-keras studies studies/ -o super_resolved/ --workers 4
    sr-keras studies studies/ -o super_resolved/ --group
    """  # noqa: D301 (click's mark that keeps line breaks)
    from sr_keras.cohort.studies import find_folders
    from sr_keras.errors import OutputError
    from sr_keras.files import make_folder

    if output.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{output} is in the folder of the studies; choose a folder apart from it.")
    if group:
        print_group(output)
        return
    recipe = recipe_of(options)
    folders = find_folders(folder, output, part_of(options))
    if options["dry_run"]:
        _plan(recipe, folders, output)
    else:
        make_folder(output)
        run_items(recipe, folders, output, options, "Folders to search")


def _plan(recipe: "Recipe", folders: "list[Folder]", output: Path) -> None:
    from sr_keras.cohort.studies import search

    scans = []
    for folder in folders:
        found, refused = search(folder, recipe.modality)
        scans += found
        for name, reason in refused.items():
            click.echo(f"{name}: refused: {reason}")
    print_plan(recipe, scans, output)
