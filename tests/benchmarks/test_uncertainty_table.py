"""docs/uncertainty.md and what ships for sidecars say what was measured."""

import json
import runpy
from pathlib import Path

import pytest

from sr_keras.uncertainty.estimator import FOLDER

TABLES = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "uncertainty_table.py"))
RESULTS = json.loads((TABLES["RESULTS"] / "uncertainty.json").read_text())


def test_the_document_is_up_to_date():
    assert TABLES["DOCUMENT"].read_text() == TABLES["document"](), "run python benchmarks/uncertainty_table.py"


def test_sidecars_say_what_was_measured():
    assert json.loads((FOLDER / "coverage.json").read_text()) == TABLES["coverage"](RESULTS)


def test_intervals_hold_details_as_often_as_the_document_says():
    """Those of up to 10 % of the range, and by the d stage at x2 of up to 30 %, of each contrast and size."""
    rows = json.loads((TABLES["RESULTS"] / "uncertainty_lesions.json").read_text())
    promised = [
        row for row in rows if row["stage"] == "fast_d_x2" or row["kind"] not in ("put in, 20 %", "put in, 30 %")
    ]
    groups = {(row["stage"], row["kind"], row["size"]) for row in promised}
    assert len(groups) == (5 * 3 + 1) + 3 * (3 * 3 + 1)
    for group in groups:
        of_group = [row for row in promised if (row["stage"], row["kind"], row["size"]) == group]
        assert sum(row["with"] for row in of_group) >= 0.9 * sum(row["details"] for row in of_group), group


def test_a_table_of_details_worked_out_by_hand():
    row = {"stage": "s", "scan": "a", "details": 10, "without": 10, "width": 1.0}
    rows = [row | {"kind": "put in, 5 %", "size": size, "with": held} for size, held in ((0.3, 8), (0.5, 9))]
    rows.append(row | {"kind": "taken out", "size": None, "with": 7})
    lines = TABLES["lesion_table"](rows).splitlines()
    assert lines[0] == "| stage | detail | details | 0.3 voxel | 0.5 voxel | without it | half-width, % of range |"
    assert lines[2:] == [
        "| s | put in, 5 % | 20 | 80 | 90 | 100 | 10.0 |",
        "| s | taken out | 10 | - | 70 | 100 | 10.0 |",
    ]


def test_rows_of_other_stages_are_kept(tmp_path):
    result = tmp_path / "result.json"
    assert TABLES["kept_rows"](result, ["a"]) == []
    result.write_text(TABLES["dumped"]([{"stage": "a"}, {"stage": "b"}]))
    assert TABLES["kept_rows"](result, ["a"]) == [{"stage": "b"}]


def test_a_summary_worked_out_by_hand():
    rows = [
        {
            "stage": "s",
            "scan": "a",
            "case": "cubic",
            "estimator": dict.fromkeys(("edges", "flat", "width", "rank"), 0.5),
        },
        {
            "stage": "s",
            "scan": "b",
            "case": "cubic",
            "estimator": dict.fromkeys(("edges", "flat", "width", "rank"), 0.7),
        },
    ]
    rows[0]["estimator"]["coverage"], rows[1]["estimator"]["coverage"] = 0.9, 0.8
    found = TABLES["summary"](rows, "estimator")
    assert found == pytest.approx(
        {"coverage": 0.85, "least": 0.8, "edges": 0.6, "flat": 0.6, "width": 0.6, "rank": 0.6}
    )
    assert TABLES["coverage"](rows) == {"s": {"Scans": 2, "Acquisitions": 2, "Mean": 0.85, "Least": 0.8}}
    assert "| s | cubic reduction | estimator | 85 (80) | 60 | 60 | 60.00 | 0.60 |" in TABLES["table"](rows)
