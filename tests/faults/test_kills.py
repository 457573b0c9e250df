"""kill -9, Ctrl-C and SIGTERM at any moment: a rerun gives the right output, and nothing is left."""

import random
import signal

import pytest
from commands import PREDICT_DICOM, PREDICT_FOLDER, PREDICT_GZ, WHOLE

KILL = ("signal", str(int(signal.SIGKILL)))
COMMANDS = [pytest.param(command, id=command.name, marks=pytest.mark.faults) for command in WHOLE]
QUICK = [pytest.param(command, id=command.name) for command in (PREDICT_GZ, PREDICT_DICOM, PREDICT_FOLDER)]


def kill_at_random(bench, command, tries):
    chance = random.Random(command.name)
    seconds = bench.reference(command)[1]["seconds"]
    moments = [{"seconds": chance.uniform(0, 1.1 * seconds)} for _ in range(tries)]
    cases = [bench.case(command) for _ in moments]
    bench.run("kill -9, random moment", [(c, bench.job(c, after=m)) for c, m in zip(cases, moments, strict=True)])


def kill_at_events(bench, command, numbers):
    cases = [bench.case(command) for _ in numbers]
    traps = [{"event": number, "action": KILL} for number in numbers]
    bench.run("kill -9, each file operation", [(c, bench.job(c, trap=t)) for c, t in zip(cases, traps, strict=True)])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_a_random_moment_loses_nothing(bench, command):
    kill_at_random(bench, command, command.kills)


@pytest.mark.parametrize("command", QUICK)
def test_a_kill_at_a_few_random_moments_loses_nothing(bench, command):
    kill_at_random(bench, command, 4)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_before_any_file_operation_loses_nothing(bench, command):
    events = int(bench.reference(command)[1]["events"])
    assert events > 2
    kill_at_events(bench, command, range(1, events + 1))


@pytest.mark.parametrize("command", QUICK)
def test_a_kill_before_the_last_file_operations_loses_nothing(bench, command):
    events = int(bench.reference(command)[1]["events"])
    kill_at_events(bench, command, range(events - 3, events + 1))
