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
