"""A process that has imported the package and forks a child for each command it is asked to run, faults included.

A fork takes milliseconds where a fresh interpreter takes half a second, or ten with TensorFlow: a thousand runs fit
into minutes. It reads a line of JSON with a list of jobs, runs them at once, and writes a line with their outcomes.
"""

import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path

LIGHT = (
    "benchmark.session",
    "cli",
    "cli.plan",
    "cohort.bids_finding",
    "cohort.running",
    "cohort.serial",
    "cohort.studies",
    "evaluation.figure",
    "evaluation.protocol",
    "evaluation.tables",
    "export",
    "export.reference_slices",
    "inference.jobs",
    "models.registry",
    "report.comparison",
    "report.page",
    "report.writing",
)
HEAVY = ("adaptation.files", "engines.keras_engine", "training.run")
LIBRARIES = ("onnxruntime", "skimage.metrics", "matplotlib.pyplot", "PIL.Image")
# Python's own reports of what is about to happen to a file.
EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")


class Trap:
    """Does something just before the n-th event below a folder, and counts events for the run that has no fault.

    Args:
        under: the folder whose files count.
        event: the number of the event, from 1; 0 does nothing.
        action: what to do: a name and its arguments.
        only: the one kind of event that counts; "" counts all.
    """

    def __init__(self, under: str, event: int = 0, action: tuple[str, ...] = (), only: str = "") -> None:
        self._under, self._event, self._action, self._only = under, event, action, only
        self.count, self._acting = 0, False

    def __call__(self, event: str, arguments: tuple) -> None:
        if self._acting or event not in EVENTS or (self._only and event != self._only):
            return
        if not any(os.fsdecode(each).startswith(self._under) for each in arguments if isinstance(each, (str, bytes))):
            return
        self.count += 1
        if self.count == self._event:
            self._acting = True
            act(*self._action)
            self._acting = False


def act(kind: str, *arguments: str) -> None:
    """Let something happen to this process or to its files."""
    if kind == "signal":
        os.kill(os.getpid(), int(arguments[0]))
    elif kind == "remove":
        shutil.rmtree(arguments[0])
    elif kind == "truncate":
        os.truncate(arguments[0], int(arguments[1]))
    elif kind == "copy":
        source, target = map(Path, arguments)
        target.unlink() if target.is_file() else shutil.rmtree(target)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)


def child(job: dict, pipes: dict[int, tuple[int, int]], events: int) -> None:
    """Run one command, its streams in pipes."""
    trap = Trap(**job["trap"])
    status = 1
    # Pipes, since a limit on the size of files would hold for files that take the streams.
    for number, pipe in pipes.items():
        os.dup2(pipe[1], number)
    os.environ.update(job["environment"])
    try:
        for name, amount in job["limits"].items():
            kind = getattr(resource, f"RLIMIT_{name}")
            resource.setrlimit(kind, (amount + (virtual_memory() if name == "AS" else 0), resource.RLIM_INFINITY))
        sys.addaudithook(trap)
        import_module("sr_keras.cli").main.main(job["arguments"], prog_name="sr-keras")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(events, str(trap.count).encode())
    os._exit(status)


def virtual_memory() -> int:
    """Return the bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def run(jobs: list[dict]) -> list[dict]:
    """Run jobs at once, and return their outcomes: code (negative: the signal), what they printed, seconds, events."""
    return [outcome(*each) for each in [started(job) for job in jobs]]


def started(job: dict) -> tuple:
    """Fork a child for a job; return its number, when it began, its pipes and its clock."""
    pipes = {number: os.pipe() for number in STREAMS}
    start, process = time.monotonic(), os.fork()
    if process == 0:
        child(job, {number: pipes[number] for number in (1, 2)}, pipes[3][1])
    for _, end in pipes.values():
        os.close(end)
    return process, start, pipes, clock(process, **job["after"])


def clock(process: int, number: int = signal.SIGKILL, seconds: float = 240.0) -> threading.Timer:
    """Start the clock that sends a signal to a child."""
    timer = threading.Timer(seconds, os.kill, (process, number))
    timer.start()
    return timer


def outcome(process: int, start: float, pipes: dict[int, tuple[int, int]], timer: threading.Timer) -> dict:
    """Wait for a child, and return what became of it."""
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - start
    # The number of a child that was not waited for belongs to no other process, so the timer can hit none.
    timer.cancel()
    timer.join()
    _, status, usage = os.wait4(process, 0)
    found = {name: drained(pipes[number][0]) for number, name in STREAMS.items()}
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "seconds": seconds, "bytes": usage.ru_maxrss << 10} | found


def drained(pipe: int) -> str:
    """Return what is in a pipe. Not to its end, which a child of a killed child may still hold open."""
    os.set_blocking(pipe, False)
    text = b""
    with os.fdopen(pipe, "rb", 0) as file:
        while piece := file.read(1 << 16):
            text += piece
    return text.decode(errors="replace")


STREAMS = {1: "stdout", 2: "stderr", 3: "events"}


def main() -> None:
    """Import, say so, and serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in LIGHT + (HEAVY if "heavy" in sys.argv else ()):
        import_module(f"sr_keras.{name}")
    for name in LIBRARIES:
        import_module(name)
    for line in iter(lambda: (answers.write("\n") and answers.flush()) or sys.stdin.readline(), ""):
        answers.write(json.dumps(run(json.loads(line))))


if __name__ == "__main__":
    main()
