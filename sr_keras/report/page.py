"""Pages of one file: a template, a style sheet and scripts, with a policy that allows nothing from outside."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from sr_keras.errors import OutputError
from sr_keras.files import atomic_write, check_output
from sr_keras.report.viewer import source_of

SUFFIXES = (".html", ".htm")
# What a page may load: images and data that are in it, and the scripts and styles of these hashes.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data: blob:; connect-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def check_page(path: Path, *, force: bool) -> None:
    """Refuse a page before any work is done for it.

    Raises:
        OutputError: its name has another suffix, it exists and `force` is not given, or it cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path} is no page; name a file that ends in .html.")
    check_output(path, force=force)


def text_of(name: str) -> str:
    """Return a file of this room."""
    return (files("sr_keras.report") / name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with each `{{name}}` replaced by a part.

    Args:
        template: HTML.
        parts: HTML, by name; a name in a part stays as it is.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def policy(scripts: Sequence[str], sources: Sequence[str], styles: Sequence[str]) -> str:
    """Return the content security policy of a page.

    Args:
        scripts: inline scripts.
        sources: of further scripts.
        styles: inline style sheets.
    """
    allowed = [*(source_of(each.encode()) for each in scripts), *sources]
    return POLICY.format(
        scripts=" ".join(allowed) or "'none'", styles=" ".join(source_of(each.encode()) for each in styles)
    )


def data_block(identifier: str, value: Any) -> str:
    """Return an element that holds data for a script, as JSON that no text in it can leave."""
    text = json.dumps(value, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escape(identifier)}">{text}</script>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """Return a table whose first column names the rows.

    Args:
        headings: text, one for each column.
        rows: text, as many cells each.
        caption: text.
    """
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in headings)
    lines = [
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(each)}</td>" for each in rest)}</tr>'
        for first, *rest in rows
    ]
    # A wide table scrolls by itself; the keyboard must reach it then.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def definitions(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of titles and texts."""
    items = (f"<div><dt>{escape(title)}</dt><dd>{escape(text)}</dd></div>" for title, text in rows)
    return f"<dl>{''.join(items)}</dl>"


def bullets(texts: Iterable[str], name: str = "") -> str:
    """Return a list of texts, of a class of the style sheet; nothing without any."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="{escape(name)}">{items}</ul>' if items else ""


def write_page(text: str, path: Path, *, force: bool) -> None:
    """Write a page.

    Raises:
        OutputError: it exists and `force` is not given, or it cannot be written.
    """
    with atomic_write(path, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")
