import csv

import pytest

from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.group import collect, counts, write_group
from sr_keras.cohort.ledger import Entry, Ledger
from sr_keras.cohort.parts import ALL
from sr_keras.errors import OutputError


def test_the_table_has_every_scan_and_those_that_wait_come_first(data, tmp_path):
    out = tmp_path / "out"
    scans = find_scans(data, out, Selection(), "x2")
    with Ledger(out, ALL) as ledger:
        for scan, state, reason in ((scans[0], "done", ""), (scans[1], "done", ""), (scans[2], "failed", "is <torn>")):
            ledger.write(Entry(scan.name, state, reason, scan.output.name, 2.0, 10_000_000, ("noisy",)))
    scans[0].output.parent.mkdir(parents=True)
    scans[0].output.touch()
    rows = collect(out, scans)
    states = {row["scan"]: row["state"] for row in rows}
    assert [states[scan.name] for scan in scans] == ["done", "lost", "failed", "not tried"]
    assert rows[-1]["state"] == "done"
    assert counts(rows) == "1 lost, 1 failed, 1 not tried, 1 done"
    table, page = write_group(out, rows)
    with table.open(newline="") as file:
        read = list(csv.DictReader(file, delimiter="\t"))
    assert {row["scan"]: row["reason"] for row in read}[scans[2].name] == "is <torn>"
    assert {row["output"] for row in read} == {scan.output.name for scan in scans}
    assert "is &lt;torn&gt;" in page.read_text()
    assert "1 lost, 1 failed" in page.read_text()


def test_without_a_run_there_is_nothing_to_tell(tmp_path):
    with pytest.raises(OutputError, match="has no ledger of a run; do the scans first"):
        collect(tmp_path)
