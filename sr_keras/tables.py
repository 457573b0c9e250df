"""Tables of figures, as Markdown that reads well on a terminal too, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from sr_keras.evaluation import Restoration, Score
from sr_keras.files import written_whole

# Wide enough for every column where the output is not a terminal.
WIDTH = 150


def score_rows(restoration: Restoration, scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return the scores of a restoration as flat rows: scan (file name), task, factors, method and figures."""
    place = {
        "scan": restoration.truth.source.rsplit("/", 1)[-1],
        "task": restoration.task,
        "factors": list(restoration.factors),
    }
    return [place | _flat(asdict(score)) for score in scores]


def print_scores(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows of scores on stdout."""
    table = Table("scan", "task", "method", box=MARKDOWN)
    for heading in ("PSNR dB", "SSIM", "volume PSNR dB", "volume SSIM"):
        table.add_column(heading, justify="right")
    for row in rows:
        figures = [f"{row['slice_psnr']:.2f}", f"{row['slice_ssim']:.4f}", f"{row['volume_psnr']:.2f}"]
        volume_ssim = "-" if row["volume_ssim"] is None else f"{row['volume_ssim']:.4f}"
        table.add_row(row["scan"], row["task"], row["method"], *figures, volume_ssim)
    Console(width=WIDTH).print(table)
    for scan in {row["scan"]: row for row in rows}.values():
        Console(width=WIDTH).print(
            f"{scan['scan']}: data_range {scan['data_range']:g}, {scan['slices']} slices with tissue compared, "
            f"{scan['slices_left_out']} without left out",
            highlight=False,
        )


def write_scores(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows of scores to a JSON file.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=2) + "\n")


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    quality: dict[str, Any] = tree.pop("quality")
    return tree | quality
