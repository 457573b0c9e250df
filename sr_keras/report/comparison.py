"""The comparison of methods by `evaluate` as a page: scores in tables, and a picture of each scan and task."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sr_keras.errors import printable
from sr_keras.evaluation.figure import draw_figure
from sr_keras.evaluation.protocol import Comparison, Score
from sr_keras.evaluation.tables import score_cell
from sr_keras.inference.provenance import SOFTWARE
from sr_keras.report.page import bullets, filled, policy, table, text_of, write_page

# Pictures in a page, of about 0.4 MB each.
MOST_FIGURES = 24
TABLES = (("Mean over slices", "slice"), ("Over the volume", "volume"))


@dataclass
class ComparisonPage:
    """What is gathered for a page, one comparison after the other.

    Attributes:
        setting: how scans were downsampled, a sentence.
    """

    setting: str
    _figures: list[str] = field(default_factory=list)
    _left_out: int = 0

    def add(self, comparison: Comparison, scores: Sequence[Score], name: str = "") -> None:
        """Draw a comparison, unless the page has enough pictures.

        Args:
            comparison: of one task.
            scores: of the same task.
            name: of the scan; empty takes that of its file.
        """
        if len(self._figures) >= MOST_FIGURES:
            self._left_out += 1
            return
        with TemporaryDirectory() as folder:
            picture = Path(folder) / "figure.png"
            caption = printable(draw_figure(comparison, scores, picture, name=name))
            content = base64.b64encode(picture.read_bytes()).decode()
        methods = ", ".join(f"{score.method} {score.quality.slice_psnr:.2f} dB" for score in scores)
        text = escape(f"{caption}: the ground truth and each method, errors below. {methods}.")
        self._figures.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{content}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def write(self, rows: Sequence[Mapping[str, Any]], path: Path, failures: Sequence[str], *, force: bool) -> None:
        """Write the page.

        Args:
            rows: of scores, as `score_rows` returns them.
            path: an .html file.
            failures: of scans that could not be compared, a sentence each.
            force: whether a file that exists there is overwritten.

        Raises:
            OutputError: it cannot be written.
        """
        style = text_of("page.css")
        left_out = [f"Pictures of {self._left_out} more comparisons are left out."] if self._left_out else []
        parts = {
            "policy": policy([], [], [style]),
            "title": "Comparison of methods",
            "style": style,
            "summary": escape(self.setting),
            "warnings": bullets([*map(printable, failures), *left_out], "warnings"),
            "tables": "".join(_table(rows, title, figures) for title, figures in TABLES),
            "ranges": escape(_ranges(rows)),
            "figures": "\n".join(self._figures),
            "version": escape(version(SOFTWARE)),
        }
        write_page(filled(text_of("comparison.html"), parts), path, force=force)


def _table(rows: Sequence[Mapping[str, Any]], title: str, figures: str) -> str:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = []
    for place in dict.fromkeys((row["scan"], row["task"]) for row in rows):
        cells = {row["method"]: score_cell(row, figures) for row in rows if (row["scan"], row["task"]) == place}
        lines.append((*place, *(cells.get(method, "") for method in methods)))
    return table(("Scan", "Task", *methods), lines, title)


def _ranges(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the intensity range and the number of slices behind the scores of each scan."""
    scans = {row["scan"]: row for row in rows}.values()
    return " ".join(
        f"{row['scan']}: data_range {row['data_range']:g}, {row['slices']} slices with tissue compared, "
        f"{row['slices_left_out']} without tissue left out."
        for row in scans
    )
