import json

import pytest

from sr_keras.cohort.ledger import Entry, Ledger, deaths_in, last_entries, read_entries
from sr_keras.cohort.parts import ALL, Part
from sr_keras.errors import OutputBusyError


def write(folder, *entries, part=ALL):
    with Ledger(folder, part) as ledger:
        for entry in entries:
            ledger.write(entry)
    return ledger.path


def test_a_line_comes_back_as_it_was_written(tmp_path):
    entry = Entry("sub-01/a", "done", "", "b", 1.5, 2_000, ("noisy",), "aa", "bb", {"m": "cc"}, "host:1")
    path = write(tmp_path, entry)
    assert path == tmp_path / "logs" / "ledger.jsonl"
    assert json.loads(path.read_text())["peak_memory_bytes"] == 2_000
    (found,) = read_entries(path)
    assert found.scan == "sub-01/a"
    assert list(found.warnings) == ["noisy"]
    assert found.time == entry.time


def test_a_torn_line_costs_no_other(tmp_path):
    path = write(tmp_path, Entry("a", "done"), Entry("b", "done"))
    path.write_bytes(path.read_bytes()[:-7])
    write(tmp_path, Entry("c", "done"))
    assert [entry.scan for entry in read_entries(path)] == ["a", "c"]


def test_two_runs_never_write_one_ledger(tmp_path):
    with Ledger(tmp_path, ALL) as ledger:
        with pytest.raises(OutputBusyError, match="is being written by another run; wait for it"):
            Ledger(tmp_path, ALL)
        ledger.write(Entry("a", "done"))
        write(tmp_path, Entry("b", "done"), part=Part(2, 3))
    assert {scan for scan, _ in last_entries(tmp_path)} == {"a", "b"}


def test_the_last_line_counts_but_not_that_a_result_was_there(tmp_path):
    first, later = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
    write(
        tmp_path,
        Entry("a", "failed", time=first),
        Entry("a", "done", seconds=3, time=later),
        Entry("a", "started", time=later),
        Entry("a", "unchanged", time=later),
        Entry("b", "done", time=first),
        Entry("b", "failed", time=later),
    )
    states = {scan: (entry.state, entry.seconds) for (scan, _), entry in last_entries(tmp_path).items()}
    assert states == {"a": ("done", 3), "b": ("failed", 0)}


def test_a_scan_that_was_begun_and_never_ended_has_killed_its_process(tmp_path):
    begun = Entry("a", "started")
    path = write(tmp_path, begun, begun, Entry("b", "started"), Entry("b", "done"))
    assert deaths_in(path) == {"a": 2}
    write(tmp_path, Entry("a", "set aside"))
    assert deaths_in(path) == {}
    assert deaths_in(tmp_path / "none") == {}
