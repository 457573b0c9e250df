"""Runs the tests that need no training with the oldest and the newest versions that are supported, and prints a table.

    python tests/matrix.py                      # every row whose Python is installed
    python tests/matrix.py oldest-3.11 --tests tests/io tests/volumes

A row is a Python and either the lower bounds in pyproject.toml, taken exactly, or the newest releases that install.
Each has an environment of its own in `.matrix/`; remove that to have the newest releases anew. A bound that is raised
or lowered is one that this has run. With pyenv, PYENV_VERSION=3.11:3.12:3.13 offers several Pythons.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".matrix"
PYTHONS = ("3.11", "3.12", "3.13")
EXTRAS = ("evaluate", "export", "litert", "openvino")
# What tests use, not what is supported: always the newest.
TOOLS = ("pytest", "hypothesis", "scipy", "SimpleITK", "jsonschema", "pynrrd")
TENSORFLOW = ("keras", "tensorflow-cpu")
TESTS = ("tests/io", "tests/dicom", "tests/volumes", "tests/engines")
SHOWN = ("numpy", "nibabel", "pydicom", "onnxruntime", "keras", "tensorflow-cpu")


@dataclass(frozen=True)
class Row:
    """A Python, "3.11", and whether its libraries are the oldest."""

    python: str
    oldest: bool

    @property
    def name(self) -> str:
        """As in the table and on the command line."""
        return f"{'oldest' if self.oldest else 'newest'}-{self.python}"

    @property
    def interpreter(self) -> str | None:
        """The Python's path; None where it is not installed."""
        path = shutil.which(f"python{self.python}")
        # pyenv has a stand-in for each Python, also where its own settings do not choose that one.
        works = path and subprocess.run([path, "--version"], capture_output=True).returncode == 0
        return path if works else None


# The oldest Python with the oldest libraries, each Python with the newest.
ROWS = (Row(PYTHONS[0], True), *(Row(version, False) for version in PYTHONS))


def lower_bounds() -> list[str]:
    """Return pins to the lower bounds of all that sr_keras depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in (*EXTRAS, "dev") for line in extras[extra])]
    found = (re.fullmatch(r"([\w.-]+)>=([\w.]+)", line) for line in lines)
    return sorted(
        {f"{each[1]}=={each[2]}" for each in found if each and each[1] not in (*TOOLS, "setuptools", "build")}
    )


def run(row: Row, tests: list[str]) -> tuple[str, str]:
    """Make a row's environment, run tests in it, and return the versions and the outcome, a line each."""
    place = FOLDER / row.name
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        subprocess.run([str(row.interpreter), "-m", "venv", "--clear", str(place)], check=True)
        pins = place / "pins.txt"
        pins.write_text("\n".join(lower_bounds()) if row.oldest else "")
        command = [python, "-m", "pip", "install", "--quiet", "--constraint", pins]
        made = subprocess.run(
            [*command, f"{ROOT}[{','.join(EXTRAS)}]", *TOOLS, *TENSORFLOW], capture_output=True, text=True
        )
        if made.returncode:
            return "", f"does not install: {(made.stderr.strip().splitlines() or ['?'])[-1][:150]}"
        (place / "ready").touch()
    listing = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    pinned = dict(line.replace("_", "-").split("==") for line in listing.splitlines() if "==" in line)
    versions = ", ".join(f"{name} {pinned.get(name, 'none')}" for name in SHOWN)
    options = ["-q", "-m", "not slow and not faults and not fuzz", "-p", "no:cacheprovider"]
    done = subprocess.run([python, "-m", "pytest", *options, *tests], cwd=ROOT, capture_output=True, text=True)
    (place / "tests.log").write_text(done.stdout + done.stderr)
    return versions, (done.stdout.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]


def main() -> None:
    """Run the rows that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", choices=[*(row.name for row in ROWS), []], metavar="ROW")
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    failed = False
    for row in ROWS:
        if options.rows and row.name not in options.rows:
            continue
        versions, outcome = run(row, options.tests) if row.interpreter else ("", "this Python is not installed")
        print(f"{row.name:<12} {outcome}\n{'':<12} {versions}", flush=True)
        failed |= "failed" in outcome or "error" in outcome or "not install" in outcome
    sys.exit(failed)


if __name__ == "__main__":
    main()
