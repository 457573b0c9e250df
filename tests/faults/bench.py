"""Runs commands with faults and judges what is left: the right output or none, and one clear line."""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from commands import Command, temporaries, units, view

Zygote = Callable[[list[dict]], list[dict]]
# Runs at once.
WIDTH = 2
# No command of the suite takes longer, in seconds, however busy the machine is.
LONGEST = 240.0


@dataclass(frozen=True)
class Case:
    """One run with a fault: where it writes, and what lay there before."""

    command: Command
    inputs: Path
    out: Path
    before: Mapping[str, object]


@dataclass
class Ledger:
    """Counts the tries and the losses of every fault and command."""

    tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    unable: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[str]:
        """Return the table's lines."""
        if not self.tries and not self.unable:
            return []
        lines = [f"{'fault':<34} {'command':<26} {'tries':>6} {'survived':>9} {'lost':>6}"]
        for (fault, name), tries in self.tries.items():
            lost = self.lost[fault, name]
            lines.append(f"{fault:<34} {name:<26} {tries:>6} {tries - lost:>9} {lost or 'none':>6}")
        tries, lost = self.tries.total(), self.lost.total()
        lines.append(f"{'all':<34} {'':<26} {tries:>6} {tries - lost:>9} {lost or 'none':>6}")
        return lines + [f"not tried: {fault}: {reason}" for fault, reason in self.unable.items()]


@dataclass
class Bench:
    """Runs commands with faults.

    Attributes:
        folder: for everything.
        inputs: as `write_inputs` wrote them.
        zygotes: returns the one called "light" or "heavy".
        ledger: counts.
    """

    folder: Path
    inputs: Path
    zygotes: Callable[[str], Zygote]
    ledger: Ledger
    _references: dict[str, tuple[dict[str, object], dict]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def case(self, command: Command, *, own_inputs: bool = False, place: Path | None = None) -> Case:
        """Return a new case, with inputs of its own if they are to change, elsewhere if a place is given."""
        folder = self.folder / f"case{next(self._numbers)}"
        out = place or folder / "out"
        out.mkdir(parents=True, exist_ok=True)
        command.before(out)
        inputs = Path(shutil.copytree(self.inputs, folder / "inputs")) if own_inputs else self.inputs
        return Case(command, inputs, out, units(view(out)))

    def job(
        self,
        case: Case,
        *more: str,
        arguments: Sequence[str] = (),
        trap: Mapping[str, object] | None = None,
        after: Mapping[str, float] | None = None,
        limits: Mapping[str, int] | None = None,
        cache: Path | None = None,
    ) -> dict:
        """Return what a zygote is asked for: see `zygote.Trap`, `zygote.clock` and the limits of `resource`."""
        return {
            "arguments": list(arguments) or case.command.line(case.inputs, case.out, *more),
            "trap": {"under": f"{case.out}/"} | dict(trap or {}),
            "after": {"seconds": LONGEST} | dict(after or {}),
            "limits": dict(limits or {}),
            "environment": {"XDG_CACHE_HOME": str(cache or self.folder / "cache")},
        }

    def ask(self, command: Command, *jobs: dict) -> list[dict]:
        """Run jobs at once and return their outcomes."""
        return self.zygotes("heavy" if command.heavy else "light")(list(jobs))

    def reference(self, command: Command) -> tuple[dict[str, object], dict]:
        """Return the outputs of a run without a fault, and its outcome. The second run: the first fills the cache."""
        if command.name not in self._references:
            for _ in range(2):
                case = self.case(command)
                outcome = self.ask(command, self.job(case))[0]
                assert outcome["code"] == 0, outcome["stderr"]
                found = view(case.out)
                assert not temporaries(case.out)
                assert "broken" not in str(found)
            self._references[command.name] = units(found), outcome
        return self._references[command.name]

    def run(self, fault: str, planned: Sequence[tuple[Case, dict]]) -> None:
        """Run cases with their faults, judge each, run it again, and judge that.

        Args:
            fault: its name in the table.
            planned: cases with their jobs, all of one command.
        """
        command = planned[0][0].command
        right = self.reference(command)[0]
        losses: list[str] = []
        for pair in batches(planned):
            outcomes = self.ask(command, *(job for _, job in pair))
            wrong = [judge(case, right, outcome) for (case, _), outcome in zip(pair, outcomes, strict=True)]
            for (case, job), first in zip(pair, wrong, strict=True):
                text = first or self.judged_rerun(case, right)
                self.count(fault, command, text)
                losses += [f"{text} ({job['trap']}, {job['after']}, {job['limits']})"] if text else []
                clear(case.out)
        assert not losses, f"{fault}, {command.name}: {len(losses)} of {len(planned)} lost: {losses[:3]}"

    def judged_rerun(self, case: Case, right: Mapping[str, object]) -> str:
        """Run a case again without a fault, and return what is wrong then."""
        return judge_rerun(case, right, self.ask(case.command, self.job(case, *self.more(case)))[0])

    def count(self, fault: str, command: Command, loss: str) -> None:
        """Enter a try in the table."""
        self.ledger.tries[fault, command.name] += 1
        self.ledger.lost[fault, command.name] += bool(loss)

    def more(self, case: Case) -> tuple[str, ...]:
        """Return what a rerun needs: to overwrite, where an output is there already."""
        return case.command.again if view(case.out) else ()


def judge(case: Case, right: Mapping[str, object], outcome: Mapping[str, object]) -> str:
    """Return what is wrong after a fault; nothing where each output is right, as it was, or absent, and was said so."""
    found = {name: value for name, value in units(view(case.out)).items() if ".sr_keras-" not in name}
    for name, value in found.items():
        if value not in (right.get(name), case.before.get(name)):
            return f"{name} is neither the right output nor what was there"
    if outcome["code"] == 0:
        return "" if found == right else f"exit code 0, but the outputs are {sorted(found)}"
    if outcome["code"] < 0:
        return "" if outcome["code"] == -signal.SIGKILL else f"died of signal {-outcome['code']}"
    if temporaries(case.out):
        return f"left {temporaries(case.out)} without being killed"
    return unclear(outcome)


def unclear(outcome: Mapping[str, object]) -> str:
    """Return what is wrong with what a failed command said; nothing where it is one clear line."""
    said = str(outcome["stderr"])
    if "Traceback" in said:
        return f"a traceback: {said[-800:]}"
    if outcome["code"] in (130, 143):
        return ""
    lines = [line for line in (said + str(outcome["stdout"])).splitlines() if re.match(r"Error: |.*: failed: ", line)]
    return "" if lines else f"no clear line: {said[-300:]!r}"


def judge_rerun(case: Case, right: Mapping[str, object], outcome: Mapping[str, object]) -> str:
    """Return what is wrong after the run after a fault: it must give the right output and leave nothing else."""
    if outcome["code"] != 0:
        return f"the rerun failed: {outcome['stderr']}"
    if temporaries(case.out):
        return f"the rerun left {temporaries(case.out)}"
    return "" if units(view(case.out)) == right else "the rerun's output is not the right one"


def batches(planned: Sequence[tuple[Case, dict]]) -> Iterator[list[tuple[Case, dict]]]:
    """Cut a list into pieces that run at once."""
    rest = iter(planned)
    while piece := list(islice(rest, WIDTH)):
        yield piece


def clear(folder: Path) -> None:
    """Empty a folder, which may be a disk of its own."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk of a size in bytes. Raises OSError where this is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or os.getuid() or subprocess.run(command, capture_output=True).returncode:
        raise PermissionError("mounting a small disk is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remounted(folder: Path, how: str) -> None:
    """Remount a disk, "ro" or "rw"."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
