"""Tables of scores, as Markdown that reads well on a terminal too, and as JSON."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from sr_keras.errors import printable
from sr_keras.files import atomic_write

if TYPE_CHECKING:
    from sr_keras.evaluation.protocol import Comparison, Score

# Wide enough for every column where the output is not a terminal.
WIDTH = 150
# Wider than any table that is returned as text, which nothing wraps.
UNLIMITED = 10_000


def score_rows(comparison: "Comparison", scores: "Sequence[Score]", name: str = "") -> list[dict[str, Any]]:
    """Return scores as flat rows.

    Args:
        comparison: of one task.
        scores: of the same task.
        name: of the scan, which rows of no other scan have; empty takes that of its file.

    Returns:
        A row for each method: scan, modality, task, factors, method, the figures of `Quality` and `Score`.
    """
    place = {
        "scan": printable(name or comparison.ground_truth.source.rsplit("/", 1)[-1]),
        "modality": comparison.ground_truth.modality,
        "task": comparison.task,
        "factors": list(comparison.factors),
    }
    return [place | _flat(asdict(score)) for score in scores]


def print_scores(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows of scores on stdout: the means over slices, those over volumes, data_range and number of slices."""
    console = Console(width=WIDTH, markup=False)
    for title, figures in (("Mean over slices", "slice"), ("Over the volume", "volume")):
        methods = list(dict.fromkeys(row["method"] for row in rows))
        table = Table("scan", "task", *methods, box=MARKDOWN)
        for place in dict.fromkeys((row["scan"], row["task"]) for row in rows):
            cells = {row["method"]: score_cell(row, figures) for row in rows if (row["scan"], row["task"]) == place}
            table.add_row(*place, *(cells.get(method, "") for method in methods))
        console.print(f"{title}, PSNR in dB / SSIM:", table)
    for row in {row["scan"]: row for row in rows}.values():
        console.print(
            f"{row['scan']}: data_range {row['data_range']:g}, {row['slices']} slices with tissue compared, "
            f"{row['slices_left_out']} without tissue left out",
            highlight=False,
        )


def write_scores(rows: Sequence[dict[str, Any]], path: Path, *, force: bool = True) -> None:
    """Write rows of scores to a JSON file. The PSNR of what equals the ground truth is infinite, in JSON null.

    Args:
        rows: as `score_rows` returns them.
        path: of the file.
        force: whether a file that exists there is replaced.

    Raises:
        OutputError: the file cannot be written, or exists without `force`.
    """
    finite = [{name: None if value == math.inf else value for name, value in row.items()} for row in rows]
    with atomic_write(path, force=force) as temporary:
        temporary.write_text(json.dumps(finite, indent=2, allow_nan=False) + "\n")


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns aligned.

    Args:
        headings: one for each column.
        rows: of as many cells.
    """
    # A damaged card may have anything for a text.
    table, text = Table(*map(str, headings), box=MARKDOWN), StringIO()
    for row in rows:
        table.add_row(*map(str, row))
    Console(file=text, width=UNLIMITED, color_system=None, markup=False).print(table, crop=False)
    return "\n".join(line.strip() for line in text.getvalue().splitlines() if line.strip())


def score_cell(row: Mapping[str, Any], figures: str = "slice") -> str:
    """Return PSNR and SSIM of a row as text, "32.70 / 0.9456".

    Args:
        row: as `score_rows` returns it.
        figures: "slice" for the means over slices, "volume" for those of the volume.
    """
    psnr, ssim = row[f"{figures}_psnr"], row[f"{figures}_ssim"]
    return f"{psnr:.2f} / " + ("-" if ssim is None else f"{ssim:.4f}")


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    quality: dict[str, Any] = tree.pop("quality")
    return tree | quality
