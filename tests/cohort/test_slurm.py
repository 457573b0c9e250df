"""The recipe for Slurm, run by a cluster of this machine."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from cohorts import crop, describe
from slurm_cluster import cluster, output, unable, wait_until

RECIPE = Path(__file__).parents[2] / "recipes" / "slurm" / "cohort.sbatch"
SCANS, PARTS = 12, 3

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(unable()), reason=unable())]


def entries(out, state):
    paths = (out / "logs").glob("ledger_part-*.jsonl")
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [line["scan"] for line in lines if line["state"] == state]


def test_an_array_is_run_a_task_requeued_and_all_is_done(tmp_path):
    data, out = describe(tmp_path / "data"), tmp_path / "out"
    for number in range(SCANS):
        crop(data / f"sub-{number:02d}/anat/sub-{number:02d}_T1w.nii.gz", number, (64, 48, 32))
    with cluster(tmp_path / "slurm") as environment:
        environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}", "HOME": str(tmp_path)}
        options = ["--parsable", f"--array=1-{PARTS}", "--cpus-per-task=1", "--mem=0", f"--chdir={tmp_path}"]
        job = output(environment, "sbatch", *options, str(RECIPE), str(data), str(out)).strip()
        wait_until(lambda: entries(out, "done"), "a scan to be done", 180)
        running = output(environment, "squeue", "-h", "-t", "RUNNING", "-o", "%K").split()
        task = f"{job}_{running[0]}"
        output(environment, "scontrol", "requeue", task)
        wait_until(lambda: not output(environment, "squeue", "-h"), "all tasks to end", 300)
        told = output(environment, "scontrol", "show", "job", task)
    assert "Restarts=1" in told
    assert "JobState=COMPLETED" in told
    assert len(list(out.rglob("*_desc-SR_T1w.nii.gz"))) == SCANS
    # None is made twice: what the task had done before it was requeued was there.
    assert set(Counter(entries(out, "done")).values()) == {1}
    assert not list(out.rglob(".sr_keras-*"))


def test_the_threads_of_a_task_are_those_that_slurm_gives_it():
    assert '--threads "${SLURM_CPUS_PER_TASK:-1}"' in RECIPE.read_text()
    assert os.access(RECIPE, os.R_OK)
