"""The processes that commands are forked from, the inputs, and the table of what was survived."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench, Ledger, Zygote
from commands import write_inputs

LEDGER = Ledger()


@pytest.fixture(scope="session")
def faults_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="session")
def light(faults_folder: Path) -> Iterator[Zygote]:
    """Runs commands without TensorFlow."""
    yield from _zygote("light")


@pytest.fixture(scope="session")
def heavy(faults_folder: Path) -> Iterator[Zygote]:
    """Runs commands with TensorFlow, whose import takes seconds."""
    yield from _zygote("heavy")


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, faults_folder: Path) -> Bench:
    """Runs commands with faults; a zygote starts when the first command needs it."""
    inputs = write_inputs(faults_folder / "inputs")
    return Bench(faults_folder, inputs, request.getfixturevalue, LEDGER)


def _zygote(weight: str) -> Iterator[Zygote]:
    command = [sys.executable, str(Path(__file__).with_name("zygote.py")), weight]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        process.stdout.readline()

        def ask(jobs: list[dict]) -> list[dict]:
            process.stdin.write(json.dumps(jobs) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if rows := LEDGER.rows():
        terminalreporter.section("faults")
        for row in rows:
            terminalreporter.write_line(row)
