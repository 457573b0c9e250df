from dataclasses import replace

import pytest

from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.ledger import Entry, Ledger, read_entries
from sr_keras.cohort.parts import ALL
from sr_keras.cohort.running import record_all
from sr_keras.cohort.serial import TRIES, run_here


@pytest.fixture
def scans(data, tmp_path):
    return find_scans(data, tmp_path / "out", Selection(), "x2")


def run(recipe, scans, folder):
    told, seen = [], []
    with Ledger(folder, ALL) as ledger:
        reports = run_here(recipe, scans, ledger)
        summary = record_all(reports, len(scans), ledger, told.append, lambda *each: seen.append(each))
    return summary, told, seen, [(entry.scan[-22:], entry.state) for entry in read_entries(ledger.path)]


def test_each_scan_is_begun_and_ended_in_the_ledger(recipe, scans, tmp_path):
    summary, told, seen, lines = run(recipe, scans, tmp_path / "out")
    assert str(summary).startswith("4 done, 0 unchanged, 0 failed, 0 set aside, 0 refused, ")
    assert summary.is_complete
    assert told == []
    assert seen[-1] == ("scans", 4, 4)
    assert [state for _, state in lines] == ["started", "done"] * 4
    assert str(run(recipe, scans, tmp_path / "out")[0]).startswith("0 done, 4 unchanged")


def test_a_scan_that_killed_three_processes_is_set_aside_and_tried_in_the_run_after(recipe, scans, tmp_path):
    scans = scans[:2]
    with Ledger(tmp_path / "out", ALL) as ledger:
        for _ in range(TRIES):
            ledger.write(Entry(scans[0].name, "started"))
    summary, told, _, _ = run(recipe, scans, tmp_path / "out")
    assert str(summary).startswith("1 done, 0 unchanged, 0 failed, 1 set aside")
    assert not summary.is_complete
    assert told == [f"{scans[0].name}: set aside: 3 processes died while they worked on it"]
    assert str(run(recipe, scans, tmp_path / "out")[0]).startswith("1 done, 1 unchanged")


def test_other_options_wait_for_force(recipe, scans, tmp_path):
    run(recipe, scans[:1], tmp_path / "out")
    other = replace(recipe, factors=(2, 2, 1))
    _, told, _, _ = run(other, scans[:1], tmp_path / "out")
    assert told[0].endswith("failed: its result was made with other options (factors); use --force to make it again")
    assert run(replace(other, replace=True), scans[:1], tmp_path / "out")[0].states["done"] == 1
