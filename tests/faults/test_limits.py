"""No room, no memory, no permission, no folder: one clear line, and nothing half-written."""

import re
import subprocess
import sys
from contextlib import ExitStack

import pytest
from bench import LONGEST, clear, disk, judge, remounted
from commands import (
    EVALUATE,
    EXPORT,
    PREDICT_DICOM,
    PREDICT_FOLDER,
    PREDICT_GZ,
    PREDICT_NII,
    PREDICT_WHOLE,
    TRAIN,
    VERIFY,
    WHOLE,
    units,
    view,
)

MB, PAGE = 1 << 20, 4096
COMMANDS = [pytest.param(command, id=command.name, marks=pytest.mark.faults) for command in (*WHOLE, TRAIN)]
QUICK = [pytest.param(command, id=f"{command.name}, quick") for command in (PREDICT_NII, PREDICT_DICOM)]
# What takes memory in proportion to its input. TensorFlow and compilers end a process that gets none.
BOUNDED = (PREDICT_NII, PREDICT_GZ, PREDICT_WHOLE, PREDICT_DICOM, PREDICT_FOLDER, EVALUATE)
# Of a process of its own, in which libraries are still to be loaded: too few for Python's own, for numpy's, for
# onnxruntime's, for scipy's, and for a run.
WHOLE_PROCESS = (24, 60, 134, 260, 340, 420, 460)


def largest_file(bench, command):
    """Return the bytes of the largest file that a command makes or changes."""
    case = bench.case(command)
    before = contents(case.out)
    bench.ask(command, bench.job(case))
    size = max(len(content) for path, content in contents(case.out).items() if before.get(path) != content)
    clear(case.out)
    return size


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def held(bench, command):
    """Return the bytes on a disk, in whole pages, of what lies there before a command."""
    case = bench.case(command)
    size = sum(-(-len(content) // PAGE) * PAGE for content in contents(case.out).values())
    clear(case.out)
    return size


def check(bench, fault, command, case, job):
    """Run a case with a fault, and judge what is left."""
    outcome = bench.ask(command, job)[0]
    loss = judge(case, bench.reference(command)[0], outcome)
    bench.count(fault, command, loss)
    assert not loss, f"{fault}, {command.name}: {loss}"
    return outcome


@pytest.mark.parametrize("command", [*COMMANDS, *QUICK])
def test_a_full_disk_is_said(bench, command, tmp_path):
    needed, before = largest_file(bench, command), held(bench, command)
    for part in (0.1, 0.5, 0.9, 1.2, 2.0):
        try:
            with disk(tmp_path / str(part), before + max(PAGE, int(needed * part))) as place, ExitStack() as stack:
                stack.callback(clear, place)
                case = bench.case(command, place=place)
                outcome = check(bench, "disk full", command, case, bench.job(case))
                if part < 0.9:
                    assert outcome["code"] == 1
                    assert re.search("No space left on device|Free space", outcome["stderr"] + outcome["stdout"])
        except PermissionError as error:
            bench.ledger.unable["disk full"] = str(error)
            pytest.skip(str(error))


@pytest.mark.parametrize("command", [*COMMANDS, *QUICK])
def test_a_limit_on_the_size_of_files_is_said(bench, command):
    needed = largest_file(bench, command)
    for part in (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        case = bench.case(command)
        check(bench, "file size limit", command, case, bench.job(case, limits={"FSIZE": int(needed * part)}))


@pytest.mark.faults
@pytest.mark.parametrize("command", BOUNDED, ids=lambda command: command.name)
def test_a_limit_on_memory_is_said(bench, command):
    for amount in range(8, 328, 16):
        case = bench.case(command)
        check(bench, "address space limit", command, case, bench.job(case, limits={"AS": amount * MB}))


@pytest.mark.parametrize("command", [PREDICT_GZ, EVALUATE], ids=lambda command: command.name)
def test_libraries_that_do_not_fit_are_refused_before_they_are_loaded(bench, command):
    for amount in WHOLE_PROCESS:
        case = bench.case(command)
        program = [sys.executable, "-m", "sr_keras", *command.line(case.inputs, case.out)]
        shell = ["bash", "-c", f'ulimit -v {amount << 10}; exec "$@"', "bash", *program]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=LONGEST)
        outcome = {"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
        loss = judge(case, bench.reference(command)[0], outcome)
        bench.count("address space limit, new process", command, loss)
        assert not loss, f"{command.name}, {amount} MB: {loss}"
        assert done.returncode == 0 or done.stderr.count("\n") == 1
        assert amount > 400 or "of address space, the limit leaves" in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, *QUICK])
def test_a_read_only_target_is_said(bench, command, tmp_path):
    try:
        with disk(tmp_path / "disk", 64 * MB) as place:
            case = bench.case(command, place=place)
            remounted(place, "ro")
            outcome = check(bench, "read-only target", command, case, bench.job(case))
            assert outcome["code"] == 1
            assert "Read-only file system" in outcome["stderr"] + outcome["stdout"]
            assert units(view(place)) == case.before
    except PermissionError as error:
        bench.ledger.unable["read-only target"] = str(error)
        pytest.skip(str(error))


@pytest.mark.parametrize("command", [*COMMANDS, *QUICK])
def test_a_target_that_vanishes_is_said(bench, command):
    events = int(bench.reference(command)[1]["events"])
    for number in range(1, events + 1, max(1, events // 12)):
        case = bench.case(command)
        trap = {"event": number, "action": ("remove", str(case.out))}
        outcome = bench.ask(command, bench.job(case, trap=trap))[0]
        case.out.mkdir(exist_ok=True)
        # A process that makes its own folders, as for a folder of scans, may have gone on.
        loss = judge(case, bench.reference(command)[0] if outcome["code"] else units(view(case.out)), outcome)
        bench.count("vanishing target", command, loss)
        assert not loss, f"{command.name}, operation {number}: {loss}"


@pytest.mark.faults
@pytest.mark.parametrize("command", [EXPORT, VERIFY], ids=lambda command: command.name)
def test_little_memory_for_tensorflow_leaves_no_half_output(bench, command):
    for amount in (64, 256):
        case = bench.case(command)
        outcome = bench.ask(command, bench.job(case, limits={"AS": amount * MB}))[0]
        found = {name: value for name, value in units(view(case.out)).items() if ".sr_keras-" not in name}
        right = bench.reference(command)[0]
        assert all(value in (right.get(name), case.before.get(name)) for name, value in found.items()), outcome
