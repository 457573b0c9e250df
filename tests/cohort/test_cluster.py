"""Dask: a local cluster under fire, a scheduler that is there, and what belongs to both."""

import json
import runpy
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cohorts import write_bids

from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.cluster import local_cluster, remote_cluster, run_on, shared_out
from sr_keras.cohort.recipe import Recipe
from sr_keras.cohort.worker import share_of_cores
from sr_keras.errors import ConfigurationError

FAULTS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "cohort_faults.py"))


def test_workers_are_bound_to_cores_of_their_own():
    assert [share_of_cores([0, 1, 2, 3, 4], number, 2) for number in (0, 1)] == [[0, 1], [2, 3, 4]]
    assert [share_of_cores([4, 6], number, 3) for number in (0, 1, 2)] == [[4], [6], [4]]


def test_workers_share_the_threads_and_the_memory_of_a_machine():
    one, four = (shared_out(Recipe(("a",)), count) for count in (1, 4))
    assert one.threads >= four.threads >= 1
    assert 3.5 < one.memory / four.memory < 4.5
    assert shared_out(Recipe(("a",), threads=3, memory=7), 4).threads == 3


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1", "tcp://127.0.0.1:port"])
def test_no_scheduler_answers(address):
    told = rf"No Dask scheduler answers at {address}; check --scheduler\.$"
    with pytest.raises(ConfigurationError, match=told), remote_cluster(address):
        pass


@pytest.mark.cluster
def test_kills_cost_nothing_but_the_scan_that_kills(tmp_path):
    result = FAULTS["run"](tmp_path, 20, 2, [Path(__file__).parents[2] / "samples" / "t1w_brain.nii.gz"])
    assert result["workers_killed"] == 2
    assert result["client_killed"]["workers_left_after_5_s"] == 0
    assert result["client_killed"]["results_then"] < 18
    for one in (result["cluster"], result["client_killed"]):
        assert one["results"] == one["equal_to_one_process"] == 18
        assert one["done_twice"] == 0
        reasons = one["set_aside_or_failed"]
        assert reasons.pop("sub-0002/anat/sub-0002_T1w.nii.gz").startswith("set aside: 3 processes died")
        assert reasons.pop("sub-0003/anat/sub-0003_T1w.nii.gz").startswith("failed: is truncated or corrupt")
        assert reasons == {}


@pytest.mark.cluster
def test_the_dashboard_is_where_it_is_said_to_be():
    with local_cluster(1) as cluster, urllib.request.urlopen(cluster.client.dashboard_link, timeout=30) as page:
        assert b"Dask" in page.read()


@pytest.mark.cluster
def test_a_scheduler_that_is_there_is_used_and_a_worker_with_other_models_refused(tmp_path):
    scans = find_scans(write_bids(tmp_path / "data"), tmp_path / "out", Selection(), "x2")
    file = tmp_path / "scheduler.json"
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = subprocess.Popen([*program, "--scheduler-file", file, "--port", "0", "--dashboard-address", ":0"])
    workers = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", file, "--nworkers", "2"],
        cwd=tmp_path,
    )
    try:
        while not file.exists() or not file.read_text():
            assert scheduler.poll() is None
        with remote_cluster(json.loads(file.read_text())["address"]) as cluster:
            reports = list(run_on(cluster, Recipe(("fast_d_x2", "fast_hw_x2"), threads=1), scans))
            assert [entry.state for report in reports for entry in report.entries] == ["done"] * 4
            assert cluster.workers == 0
    finally:
        for process in (workers, scheduler):
            process.terminate()
            process.wait(30)
