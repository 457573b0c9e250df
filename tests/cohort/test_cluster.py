"""Dask on this machine: workers, scans and the client killed and interrupted."""

import json
import os
import runpy
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from cohorts import crop, describe

from sr_keras.cohort.cluster import local_cluster, remote_cluster, shared_out
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


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tcp://127.0.0.1", "tcp://127.0.0.1:port"])
def test_no_scheduler_answers(address):
    told = rf"No Dask scheduler answers at {address}; check --scheduler\.$"
    with pytest.raises(ConfigurationError, match=told), remote_cluster(address, print):
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
def test_a_scan_that_kills_takes_nobody_with_it(tmp_path):
    """One worker: what is sent to the dead one before the next is there must not be taken for what killed it."""
    for number in (2, 4, 5):
        crop(describe(tmp_path / "data") / f"sub-000{number}" / "anat" / f"sub-000{number}_T1w.nii.gz", number)
    (tmp_path / "deadly.py").write_text(FAULTS["PRELOAD"].format(name=FAULTS["CRASHING"]))
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__PRELOAD": json.dumps([str(tmp_path / "deadly.py")])}
    line = [*FAULTS["command"](tmp_path / "data", tmp_path / "out"), "--workers", "1"]
    run = subprocess.run(line, env=environment, capture_output=True, text=True)
    last = run.stdout.splitlines()[-1]
    assert last.startswith("2 done, 0 unchanged, 0 failed, 1 set aside, 0 refused"), run.stderr
    assert run.returncode == 1
    assert not list(tmp_path.rglob(".sr_keras-*"))


@pytest.mark.cluster
def test_ctrl_c_ends_all_and_a_rerun_goes_on(tmp_path):
    data, out = describe(tmp_path / "data"), tmp_path / "out"
    for number in range(4):
        crop(data / f"sub-{number}" / "anat" / f"sub-{number}_T1w.nii.gz", number, (96, 80, 48))
    line = [*FAULTS["command"](data, out), "--workers", "2"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        while not list(out.glob("sub-*/anat/.sr_keras-*")):
            assert process.poll() is None
            time.sleep(0.05)
        workers = psutil.Process(process.pid).children(recursive=True)
        # As a terminal does it: to all processes.
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert [line.split(";")[0].split(":")[0] for line in told.splitlines()] == [
        "Scans to do",
        "Dask dashboard",
        "Interrupted.",
    ]
    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=5)[1] == []
    assert not list(tmp_path.rglob(".sr_keras-*"))
    then = len(list(out.rglob("*_T1w.nii.gz")))
    rerun = subprocess.run(line, capture_output=True, text=True)
    assert f"{4 - then} done, {then} unchanged, 0 failed" in rerun.stdout
    assert rerun.returncode == 0


@pytest.mark.cluster
def test_the_dashboard_is_where_it_is_said_to_be(tmp_path):
    with (
        local_cluster(1, tmp_path / "ledger.jsonl") as cluster,
        urllib.request.urlopen(cluster.client.dashboard_link, timeout=30) as page,
    ):
        assert b"Dask" in page.read()
