"""`sr-keras web`: write the page that super-resolves scans in a browser."""

from pathlib import Path

import click

from sr_keras.cli.options import force_option


@click.command()
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="SITE", help="Folder for the page."
)
@force_option
def web(output: Path, *, force: bool) -> None:
    """Write the page that super-resolves scans in a browser, with the shipped models, to the folder SITE.

    Any web server can serve the folder. Scans stay on the machine of whoever opens the page.
    """
    from sr_keras.resources import format_bytes
    from sr_keras.web import write_site

    site = write_site(output, force=force)
    click.echo(f"{site.folder}: {site.files} files, {format_bytes(site.size)}. To open it on this machine:")
    click.echo(f"  python -m http.server 8000 --bind 127.0.0.1 --directory {site.folder}")
    click.echo("  http://127.0.0.1:8000/")
