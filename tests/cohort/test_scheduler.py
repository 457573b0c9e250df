"""A Dask scheduler that is there: used as it is, by two clients at once, and what does not fit told in one line."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import nibabel
import pytest
from cohorts import write_bids

from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.cluster import remote_cluster
from sr_keras.cohort.dispatch import run_on
from sr_keras.cohort.recipe import Recipe
from sr_keras.errors import ConfigurationError

pytestmark = pytest.mark.cluster
COMMAND = [sys.executable, "-m", "sr_keras", "bids", "data"]
SCHEDULER = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--dashboard-address", ":0"]
WORKER = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard"]
# An interpreter of another machine, which lacks the package or has another version of it.
LACKING = "import sys; sys.modules['sr_keras'] = None; from distributed.cli.{0} import main; main()"
OTHER = (
    "import importlib.metadata as m; real = m.version; "
    "m.version = lambda name: '9.9' if name == 'sr_keras' else real(name); "
    "from distributed.cli.dask_worker import main; main()"
)


@contextmanager
def running(folder, *workers, scheduler=SCHEDULER):
    """Yield the address of a scheduler with workers in a folder of their own, as on other machines."""
    file, elsewhere = folder / "scheduler.json", folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    quiet = {"cwd": elsewhere, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*scheduler, "--scheduler-file", str(file)], **quiet)]
    try:
        address = address_in(file, processes[0])
        processes += [subprocess.Popen([*worker, address], **quiet) for worker in workers]
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


def address_in(file, scheduler):
    while True:
        assert scheduler.poll() is None
        with suppress(FileNotFoundError, ValueError):
            return json.loads(file.read_text())["address"]
        time.sleep(0.05)


def states(reports):
    return [entry.state for report in reports for entry in report.entries]


def test_two_clients_at_once_each_get_what_they_asked_for(tmp_path):
    write_bids(tmp_path / "data")
    asked = {"one": ["--scale", "2"], "two": ["--scale", "1x1x2", "--noise", "reduce"]}
    with running(tmp_path, [*WORKER, "--nworkers", "2"]) as address:
        # Relative paths: the workers are in another folder.
        clients = {
            out: subprocess.Popen(
                [*COMMAND, out, "participant", "--scheduler", address, *options],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for out, options in asked.items()
        }
        told = {out: client.communicate(timeout=300) for out, client in clients.items()}
    for out, (printed, noise) in told.items():
        assert printed.startswith("4 done, 0 unchanged, 0 failed")
        assert len(noise.splitlines()) == 2, noise
        assert len(list((tmp_path / out).rglob("*_T1w.nii.gz"))) == 3
    for out, shape in (("one", (40, 36, 32)), ("two", (20, 18, 32))):
        assert {nibabel.load(path).shape for path in (tmp_path / out).rglob("*.nii.gz")} == {shape}
    assert list((tmp_path / "elsewhere").glob("*.nii.gz")) == []


def test_a_second_client_with_the_same_results_is_refused(tmp_path):
    write_bids(tmp_path / "data")
    lines = [[*COMMAND, "out", "participant"]] * 2
    pipe = subprocess.PIPE
    runs = [subprocess.Popen(line, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) for line in lines]
    told = [run.communicate(timeout=300) for run in runs]
    # Where the first has ended before the second begins, nothing is left to do.
    assert sorted(run.returncode for run in runs) in ([0, 1], [0, 0])
    for run, (printed, noise) in zip(runs, told, strict=True):
        if run.returncode:
            assert noise.startswith("Error: out/logs/ledger.jsonl is being written by another run; wait for it")
            assert len(noise.splitlines()) == 1
            assert printed == ""
    assert len(list((tmp_path / "out").rglob("*_desc-SR_*.nii.gz"))) == 4


@pytest.mark.parametrize(
    ("scheduler", "worker", "reason"),
    [
        (
            SCHEDULER,
            [sys.executable, "-c", OTHER, "--no-nanny"],
            r"^Worker \S+ has sr_keras 9\.9, not \S+; install that version",
        ),
        (
            SCHEDULER,
            [sys.executable, "-c", LACKING.format("dask_worker"), "--no-nanny"],
            r"cannot run sr_keras \(.*; install this",
        ),
        ([sys.executable, "-c", LACKING.format("dask_scheduler"), *SCHEDULER[3:]], WORKER, r"cannot run sr_keras \("),
    ],
    ids=["another version", "a worker without", "a scheduler without"],
)
def test_a_cluster_that_does_not_fit_is_told_in_one_line(tmp_path, recipe, scheduler, worker, reason):
    scans = find_scans(write_bids(tmp_path / "data"), tmp_path / "out", Selection(), "x2")
    (tmp_path / "ledger.jsonl").touch()
    with (
        running(tmp_path, worker, scheduler=scheduler) as address,
        remote_cluster(address, print) as cluster,
        pytest.raises(ConfigurationError, match=reason) as told,
    ):
        list(run_on(cluster, recipe, scans, tmp_path / "ledger.jsonl", print))
    assert "\n" not in str(told.value)


def test_a_worker_that_comes_late_and_does_not_fit_gets_no_scans(tmp_path):
    scans = find_scans(write_bids(tmp_path / "data"), tmp_path / "out", Selection(), "x2")
    ledger, told = tmp_path / "ledger.jsonl", []
    ledger.touch()
    with (
        running(tmp_path, WORKER) as address,
        remote_cluster(address, print) as cluster,
    ):
        reports = run_on(cluster, Recipe(("fast_d_x2", "fast_hw_x2"), threads=1), scans, ledger, told.append)
        done = [next(reports)]
        late = subprocess.Popen(
            [sys.executable, "-c", OTHER, "--no-nanny", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            cluster.client.wait_for_workers(2, timeout=120)
            cluster.look_again()
            done += reports
        finally:
            late.terminate()
            late.wait(30)
    assert states(done) == ["done"] * 4
    (line,) = told
    assert "has sr_keras 9.9" in line
    assert line.endswith("It gets no scans.")


def test_what_is_no_scheduler_is_told():
    def greet():
        with server.accept()[0] as connection:
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        greeting = threading.Thread(target=greet)
        greeting.start()
        told = rf"^What answers at tcp://{address} is no Dask scheduler; check --scheduler\.$"
        with pytest.raises(ConfigurationError, match=told), remote_cluster(address, print):
            pass
        greeting.join()
