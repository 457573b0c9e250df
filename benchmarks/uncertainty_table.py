"""Write the recorded results of `uncertainty.py` and `uncertainty_lesions.py` where they are read: in the tables of
docs/uncertainty.md, and the coverage in a file for the sidecars of maps.

python benchmarks/uncertainty_table.py
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT, RESULTS = ROOT / "docs" / "uncertainty.md", ROOT / "benchmarks" / "results"
COVERAGE = ROOT / "sr_keras" / "weights" / "uncertainty" / "coverage.json"
METHODS = ("estimator", "spread", "disagreement", "gradient")
Row = dict[str, Any]
# Of details that are taken out, in voxels of the scan.
TAKEN_SIZE = 0.5

KINDS: dict[str, Callable[[Row], bool]] = {
    "cubic reduction": lambda row: row["case"] == "cubic",
    "scanners, clean": lambda row: row["case"].endswith("clean"),
    "scanners, noisy": lambda row: row["case"] != "cubic" and not row["case"].endswith("clean"),
}


def summary(rows: list[Row], method: str) -> Row | None:
    """Return the mean and the least coverage of a method, and means of all else; None where it is not in the rows."""
    found = [row[method] for row in rows if method in row]
    if not found:
        return None
    means = {name: fmean(each[name] for each in found) for name in ("coverage", "edges", "flat", "width", "rank")}
    return means | {"least": min(each["coverage"] for each in found)}


def table(rows: list[Row]) -> str:
    """Return the figures as a table: means over scans and acquisitions, and the least coverage in brackets."""
    lines = [
        "| stage | low-resolution scan | half-width from | inside, % | at edges | in flat regions "
        "| half-width, % of range | rank correlation |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for stage in dict.fromkeys(row["stage"] for row in rows):
        for kind, chosen in KINDS.items():
            of_kind = [row for row in rows if row["stage"] == stage and chosen(row)]
            lines += [_line(stage, kind, method, found) for method in METHODS if (found := summary(of_kind, method))]
    return "\n".join(lines)


def _line(stage: str, kind: str, method: str, found: Row) -> str:
    shares = [f"{100 * found['coverage']:.0f} ({100 * found['least']:.0f})"]
    shares += [f"{100 * found[name]:.0f}" for name in ("edges", "flat")]
    rest = [f"{100 * found['width']:.2f}", f"{found['rank']:.2f}"]
    return f"| {' | '.join([stage, kind, method, *shares, *rest])} |"


def lesion_table(rows: list[Row]) -> str:
    """Return how often intervals hold details as a table, by size, over all scans and acquisitions."""
    sizes = sorted({row["size"] for row in rows if row["size"] is not None})
    columns = "".join(f" {size:g} voxel |" for size in sizes)
    lines = [f"| stage | detail | details |{columns} without it | half-width, % of range |"]
    lines.append("|---" * (5 + len(sizes)) + "|")
    for stage in dict.fromkeys(row["stage"] for row in rows):
        for kind in dict.fromkeys(row["kind"] for row in rows):
            chosen = [row for row in rows if row["stage"] == stage and row["kind"] == kind]
            if chosen:
                lines.append(_lesion_line(stage, kind, chosen, sizes))
    return "\n".join(lines)


def _lesion_line(stage: str, kind: str, rows: list[Row], sizes: list[float]) -> str:
    count = sum(row["details"] for row in rows)
    shares = []
    for size in sizes:
        # Of what is taken out, the size is that of the other details' middle column.
        of_size = [row for row in rows if (row["size"] or TAKEN_SIZE) == size]
        found = sum(row["details"] for row in of_size)
        shares.append(f"{100 * sum(row['with'] for row in of_size) / found:.0f}" if found else "-")
    without, width = (100 * sum(row[name] for row in rows) / count for name in ("without", "width"))
    return f"| {' | '.join([stage, kind, str(count), *shares, f'{without:.0f}', f'{width:.1f}'])} |"


def kept_rows(result: Path, stages: Collection[str]) -> list[Row]:
    """Return the rows of a result that are of other stages than these."""
    rows: list[Row] = json.loads(result.read_text()) if result.exists() else []
    return [row for row in rows if row["stage"] not in stages]


def dumped(rows: list[Row]) -> str:
    """Return rows as JSON, one a line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def coverage(rows: list[Row]) -> dict[str, Row]:
    """Return what sidecars say of each stage: the coverage in tissue, mean and least, and how it was measured."""
    record = {}
    for stage in dict.fromkeys(row["stage"] for row in rows):
        of_stage = [row for row in rows if row["stage"] == stage]
        found = summary(of_stage, "estimator") or {}
        scans = len({row["scan"] for row in of_stage})
        shares = {"Mean": round(found["coverage"], 3), "Least": round(found["least"], 3)}
        record[stage] = {"Scans": scans, "Acquisitions": len(of_stage), **shares}
    return record


def document() -> str:
    """Return docs/uncertainty.md with the tables of the recorded results."""
    text = DOCUMENT.read_text()
    for name, results, make in (
        ("uncertainty", "uncertainty.json", table),
        ("lesions", "uncertainty_lesions.json", lesion_table),
    ):
        opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(opening)
        content = make(json.loads((RESULTS / results).read_text()))
        text = f"{before}{opening}\n{content}\n{closing}{rest.partition(closing)[2]}"
    return text


def main() -> None:
    """Write the tables and the coverage."""
    DOCUMENT.write_text(document())
    rows = json.loads((RESULTS / "uncertainty.json").read_text())
    COVERAGE.write_text(json.dumps(coverage(rows), indent=2) + "\n")


if __name__ == "__main__":
    main()
