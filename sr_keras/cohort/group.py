"""One table and one page of all scans of a cohort, from its ledgers."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from sr_keras.cohort.items import Scan
from sr_keras.cohort.ledger import FOLDER, Entry, last_entries
from sr_keras.errors import OutputError
from sr_keras.files import atomic_write
from sr_keras.resources import format_bytes

TABLE, PAGE = "group_SR.tsv", "group_SR.html"
COLUMNS = (
    *("scan", "state", "reason", "output", "seconds", "peak_memory_bytes", "warnings", "input_sha256"),
    *("output_sha256", "worker", "time"),
)
SHOWN = ("scan", "state", "seconds", "memory", "reason and warnings")
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2em .6em;border-bottom:1px solid #ddd;"
    "vertical-align:top}.undone{color:#a00}.n{text-align:right}"
)
# States that a table calls what nobody has begun, and what was done and is gone.
NOT_TRIED, LOST = "not tried", "lost"
FINE = ("done", "unchanged", "refused")


def collect(output: Path, scans: Iterable[Scan] = ()) -> list[dict[str, str]]:
    """Return a row for each scan, those that wait for somebody first.

    Args:
        output: folder of the results.
        scans: that should be there; those without an entry are in the table as well.

    Raises:
        OutputError: there has been no run.
    """
    if not (output / FOLDER).is_dir():
        raise OutputError(f"{output} has no ledger of a run; do the scans first, then the group.")
    last = {key: entry for key, entry in last_entries(output).items() if entry.state != "searched"}
    rows = []
    for scan in scans:
        entry = last.pop((scan.name, scan.output.name), None)
        if entry is None:
            rows.append(_row(Entry(scan.name, "started", output=scan.output.name, time=""), NOT_TRIED))
        else:
            gone = entry.state in ("done", "unchanged") and not scan.output.exists()
            rows.append(_row(entry, LOST if gone else entry.state))
    rows += [_row(entry, entry.state) for entry in last.values()]
    return sorted(rows, key=lambda row: (row["state"] in FINE, row["scan"]))


def write_group(output: Path, rows: Sequence[Mapping[str, str]]) -> tuple[Path, Path]:
    """Write the table and the page, and return their paths.

    Args:
        output: folder of the results.
        rows: as `collect` returns them.

    Raises:
        OutputError: they cannot be written.
    """
    paths = output / TABLE, output / PAGE
    for path, text in zip(paths, (table(rows), page(rows)), strict=True):
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def counts(rows: Iterable[Mapping[str, str]]) -> str:
    """Return how many scans are in which state, in words."""
    found = Counter(row["state"] for row in rows)
    return ", ".join(f"{count} {state}" for state, count in found.most_common())


def table(rows: Iterable[Mapping[str, str]]) -> str:
    """Return rows as tab-separated values; nothing is written as "n/a", as BIDS has it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: " ".join(row[key].split()) or "n/a" for key in COLUMNS})
    return text.getvalue()


def page(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as a page of HTML that needs nothing else."""
    body = "\n".join(map(_line, rows))
    heads = "".join(f"<th>{escape(name)}</th>" for name in SHOWN)
    seconds = sum(float(row["seconds"]) for row in rows)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Super-resolved scans</title>\n'
        f"<style>{STYLE}</style></head><body>\n<h1>Super-resolved scans</h1>\n"
        f"<p>{escape(counts(rows))}; {seconds / 3600:.1f} hours of workers in all. Scans that wait for somebody come "
        f"first. For research only.</p>\n<table><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table>\n"
        "</body></html>\n"
    )


def _line(row: Mapping[str, str]) -> str:
    memory = format_bytes(int(row["peak_memory_bytes"])) if int(row["peak_memory_bytes"]) else ""
    said = "<br>".join(escape(text) for text in (row["reason"], row["warnings"]) if text)
    mark = "" if row["state"] in FINE else ' class="undone"'
    cells = (escape(row["scan"]), escape(row["state"]), f"{float(row['seconds']):.1f}", memory, said)
    return f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _row(entry: Entry, state: str) -> dict[str, str]:
    fields = asdict(entry) | {"state": "died" if state == "started" else state, "warnings": " ".join(entry.warnings)}
    return {key: str(value) for key, value in fields.items()}
