"""Inputs that change while they are read, and two processes at one output or one cache."""

import json
import shutil

import nibabel
import numpy as np
import pytest
from bench import judge, unclear
from commands import (
    ADAPT,
    BENCHMARK,
    EVALUATE,
    EXPORT,
    PREDICT_DICOM,
    PREDICT_FOLDER,
    PREDICT_GZ,
    PREDICT_MAPS,
    PREDICT_NII,
    REPORT,
    TRAIN,
    units,
    view,
)
from dicom.synthetic import classic, save

SCANS = {"predict .nii": "scan.nii", "predict .nii.gz": "scan.nii.gz"}
ONE_OUTPUT_QUICK = (PREDICT_NII, PREDICT_GZ, PREDICT_DICOM, PREDICT_FOLDER, EVALUATE)
ONE_OUTPUT = (*ONE_OUTPUT_QUICK, PREDICT_MAPS, REPORT, BENCHMARK, EXPORT, ADAPT, TRAIN)


def truncated(case, path, part):
    return ("truncate", str(path), str(int(path.stat().st_size * part)))


def doubled(case, path):
    """Return the action that puts a scan of twice the values in the place of another."""
    other = case.inputs / f"other_{path.name}"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj) * 2, image.affine, image.header), other)
    return ("copy", str(other), str(path))


def reads(bench, command, path):
    """Return how often a command opens what lies at a path."""
    case = bench.case(command, own_inputs=True)
    trap = {"under": str(case.inputs / path), "only": "open"}
    outcome = bench.ask(command, bench.job(case, trap=trap))[0]
    assert outcome["code"] == 0
    return int(outcome["events"])


@pytest.mark.parametrize("command", [PREDICT_NII, PREDICT_GZ], ids=lambda command: command.name)
@pytest.mark.parametrize("change", ["truncated", "other values", "removed"])
def test_a_scan_that_changes_while_it_is_read_gives_one_of_both_or_an_error(bench, command, change):
    name = SCANS[command.name]
    for number in range(1, reads(bench, command, name) + 1):
        case = bench.case(command, own_inputs=True)
        path = case.inputs / name
        action = {
            "truncated": lambda: truncated(case, path, 0.6),
            "other values": lambda: doubled(case, path),
            "removed": lambda: ("truncate", str(path), "0"),
        }[change]()
        outcome = bench.ask(command, bench.job(case, trap={"under": str(path), "event": number, "action": action}))[0]
        allowed = bench.reference(command)[0]
        if outcome["code"] == 0 and change == "other values":
            again = bench.case(command)
            again_outcome = bench.ask(command, bench.job(again, arguments=command.line(case.inputs, again.out)))[0]
            assert again_outcome["code"] == 0
            found = units(view(case.out))
            loss = "" if found in (allowed, units(view(again.out))) else "a mixture of two scans"
        else:
            loss = judge(case, allowed, outcome)
        bench.count(f"input {change}", command, loss)
        assert not loss, f"{command.name}, {change} before opening {number}: {loss}"


@pytest.mark.parametrize("command", [PREDICT_NII, PREDICT_GZ], ids=lambda command: command.name)
@pytest.mark.parametrize("part", [0.0, 0.4], ids=["emptied", "shortened"])
def test_a_scan_that_is_truncated_after_it_was_read_does_no_harm(bench, command, part):
    for number in range(1, int(bench.reference(command)[1]["events"]) + 1):
        case = bench.case(command, own_inputs=True)
        action = truncated(case, case.inputs / SCANS[command.name], part)
        outcome = bench.ask(command, bench.job(case, trap={"event": number, "action": action}))[0]
        loss = judge(case, bench.reference(command)[0], outcome)
        bench.count("input truncated while in use", command, loss)
        assert not loss, f"{command.name}, operation {number}: {loss}"


@pytest.mark.parametrize("change", ["truncated", "another series"])
def test_a_series_that_changes_while_it_is_read_gives_one_of_both_or_an_error(bench, change):
    command = PREDICT_DICOM
    total = reads(bench, command, "series")
    for number in range(2, total + 1, max(1, total // 8)):
        case = bench.case(command, own_inputs=True)
        series = case.inputs / "series"
        if change == "truncated":
            last = sorted(series.iterdir())[-1]
            action = ("truncate", str(last), str(last.stat().st_size // 2))
        else:
            action = ("copy", str(save(classic("MR", np.uint16, slices=8), case.inputs / "another")), str(series))
            for path in (case.inputs / "another").iterdir():
                assert path.name
        outcome = bench.ask(command, bench.job(case, trap={"under": str(series), "event": number, "action": action}))[0]
        loss = judge(case, bench.reference(command)[0], outcome)
        bench.count(f"input {change}", command, loss)
        assert not loss, f"{change} before opening {number} of {total}: {loss}"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=command.name, marks=[] if command in ONE_OUTPUT_QUICK else [pytest.mark.faults])
        for command in ONE_OUTPUT
    ],
)
def test_two_processes_at_one_output_never_mix_and_one_says_so(bench, command):
    right = bench.reference(command)[0]
    for _ in range(4):
        case = bench.case(command)
        outcomes = bench.ask(command, bench.job(case), bench.job(case))
        found = units(view(case.out))
        losses = [unclear(outcome) for outcome in outcomes if outcome["code"]]
        losses += [] if same(command, found, right) else [f"the output is not the right one: {sorted(found)}"]
        if command is not PREDICT_FOLDER and sorted(outcome["code"] for outcome in outcomes) != [0, 1]:
            losses.append(f"exit codes {[outcome['code'] for outcome in outcomes]}")
        bench.count("two at one output", command, "".join(losses))
        assert not any(losses), (losses, outcomes)
        shutil.rmtree(case.out)


def same(command, found, right):
    """Say whether an output is the right one; of a training run, whose logs hold times, whether its stage is."""
    if command is not TRAIN:
        return found == right
    return {name: found.get(name) for name in STAGE} == {name: right.get(name) for name in STAGE}


STAGE = ("run/stage.json", "run/stage.weights.h5", "run/best.weights.h5")


def test_four_processes_at_one_cache_leave_it_whole(bench):
    right = bench.reference(PREDICT_GZ)[0]
    for number in range(4):
        cache = bench.folder / f"cache{number}"
        cases = [bench.case(PREDICT_GZ) for _ in range(4)]
        outcomes = bench.ask(PREDICT_GZ, *(bench.job(case, cache=cache) for case in cases))
        assert [outcome["code"] for outcome in outcomes] == [0, 0, 0, 0], outcomes
        wrong = [case for case in cases if units(view(case.out)) != right]
        bench.count("four at one cache", PREDICT_GZ, str(wrong) if wrong else "")
        assert not wrong
        files = [path for path in cache.rglob("*") if path.is_file()]
        assert [path.name for path in files] == ["timings.json"]
        assert all(entry["batch"] >= 1 for entry in json.loads(files[0].read_text()).values())


def test_a_cache_that_cannot_be_written_is_done_without(bench):
    (bench.folder / "no_folder").write_text("")
    case = bench.case(PREDICT_GZ)
    outcome = bench.ask(PREDICT_GZ, bench.job(case, cache=bench.folder / "no_folder"))[0]
    loss = judge(case, bench.reference(PREDICT_GZ)[0], outcome)
    bench.count("no cache", PREDICT_GZ, loss)
    assert (outcome["code"], loss) == (0, "")
