"""What readers copy runs: the Python and the commands of the documents, and the examples of docstrings."""

import doctest
import inspect
import re
import shlex
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from cohorts import write_bids
from dicom.synthetic import classic, enhanced, save
from helpers import SAMPLE

import sr_keras
from sr_keras.cli import main
from sr_keras.training import configuration

ROOT = Path(__file__).parents[1]
TEXTS = {path: path.read_text() for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])}
PROGRAMS = {path: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for path, text in TEXTS.items()}
# Trains, exports and times: half a minute, where the others take seconds.
LONG_PROGRAMS = ("own-network.md",)
# Records of measurements and of trainings: their commands need the real scans, and hours. `tests/test_documents.py`
# checks their options.
RECORDS = (
    *("acquisition-experiments.md", "experiments.md", "models.md", "performance.md", "reproduction.md"),
    "robustness.md",
)
# Folders that commands which are not quick make.
MADE = ("runs/", "exported/", "--model adapted")


def is_quick(line):
    """Whether a command takes seconds and needs no GPU and no result of one that takes longer."""
    slow = (*MADE, "--adapt", "webgpu")
    return line.split()[0] in ("predict", "models", "evaluate", "info", "report") and not any(
        each in line for each in slow
    )


COMMANDS = {
    path: [line.partition(" #")[0].split("sr-keras ", 1)[1].strip() for line in found]
    for path, text in TEXTS.items()
    if path.name not in RECORDS and (found := [line for line in text.splitlines() if re.match(" {4}sr-keras ", line)])
}
QUICK = {path: quick for path, lines in COMMANDS.items() if (quick := [line for line in lines if is_quick(line)])}
# What ends a command early that would go on for minutes.
SHORTER = {"benchmark": " --duration 0.1", "adapt": " --adapt-steps 2"}
LONG = [path for path in COMMANDS if COMMANDS[path] != QUICK.get(path)]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "sr_keras").rglob("*.py")
    if ">>> " in path.read_text()
)
FIRST_MET = (
    *("Upscaler", "Volume", "build_network", "choose_stages", "find_stage", "load_engine", "load_model"),
    *("read_configuration", "read_volume", "register_family", "shipped_stages", "upscale", "write_volume"),
)


@pytest.fixture(scope="module")
def template(small_scan, tmp_path_factory):
    """What lies in the working directory that the documents assume: tiny scans, and series of every kind they name."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(small_scan, folder / "scan.nii.gz")
    fine = nibabel.load(SAMPLE).slicer[56:112, 20:76, 40:64]
    for name in ("scans/a.nii.gz", "scans/b.nii.gz", "others/c.nii.gz"):
        (folder / name).parent.mkdir(exist_ok=True)
        nibabel.save(fine, folder / name)
    series = save(classic("MR", np.uint16, slices=16), folder / "series")
    shutil.make_archive(str(series), "zip", series)
    others = classic("MR", np.uint16, slices=16)
    for each in others:
        each.SeriesNumber = 7
    shutil.copytree(series, folder / "study" / "a")
    save(others, folder / "study" / "b")
    save([enhanced(slices=16, times=2)], folder / "dynamic")
    scan = nibabel.load(small_scan)
    for name in ("a.nii.gz", "b.nii.gz", "other.nii.gz"):
        nibabel.save(scan.slicer[8:32, 6:30, :20], folder / name)
    voxels = np.asarray(scan.dataobj)
    nibabel.save(nibabel.Nifti1Image((voxels > 300).astype(np.uint8), scan.affine), folder / "labels.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.stack([voxels[:24, :24]] * 3, axis=-1), scan.affine), folder / "series.nii.gz")
    thick = nibabel.load(SAMPLE).slicer[40:120, :, 20:100:4]
    (folder / "protocol").mkdir()
    for name in ("thick.nii.gz", "protocol/a.nii.gz"):
        nibabel.save(thick, folder / name)
    write_bids(folder / "data")
    shutil.copytree(folder / "study", folder / "studies" / "one")
    for text in TEXTS.values():
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            (folder / "brain.yaml").write_text(block)
    return folder


@pytest.fixture
def place(template, tmp_path, monkeypatch):
    """The working directory that the documents assume."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def programs():
    """Each document with Python in it; the long ones are slow."""
    for path, found in PROGRAMS.items():
        if found:
            marks = pytest.mark.slow if path.name in LONG_PROGRAMS else ()
            yield pytest.param(path, marks=marks, id=path.name)


@pytest.mark.parametrize("path", list(programs()))
@pytest.mark.filterwarnings("ignore:scan looks noisy or aliased")
@pytest.mark.usefixtures("place")
def test_the_python_of_a_document_runs(path):
    names = {}
    for program in PROGRAMS[path]:
        exec(compile(program, path.name, "exec"), names)


def test_the_python_of_the_readme_is_among_them():
    assert PROGRAMS[ROOT / "README.md"]


def run(line, place):
    """Run a command of a document, as if its outputs were not there yet."""
    words = shlex.split(line)
    # Of `predict`, --json is a flag, and --labels names a file that is read before the one that is written. `report`
    # reads maps that `predict` writes.
    maps = ("--uncertainty", "--residual")
    named = ("-o", "--output", "--figure", "--report", *(maps if words[0] == "predict" else ["--json"]))
    outputs = [words[number + 1] for number, word in enumerate(words) if word in named]
    outputs += [words[number + 2] for number, word in enumerate(words) if word == "--labels"]
    for output in outputs:
        if (place / output).is_file():
            (place / output).unlink()
        elif words[0] != "export":
            shutil.rmtree(place / output, ignore_errors=True)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, f"{line}: {result.output}"
    assert "--dry-run" in words or all((place / output).exists() for output in outputs), line


@pytest.mark.parametrize("path", QUICK, ids=lambda path: path.name)
def test_the_quick_commands_of_a_document_run(path, place):
    for line in QUICK[path]:
        run(line, place)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if COMMANDS[path] != QUICK.get(path)], ids=lambda path: path.name
)
def test_all_commands_of_a_document_run_in_their_order(path, place, monkeypatch):
    """Trained for a step: a shipped configuration takes hours."""
    whole = configuration.read_configuration

    def short(name):
        found = whole(name)
        return replace(
            found,
            training=replace(found.training, epochs=1, steps_per_epoch=1),
            patches=replace(found.patches, batch=2),
        )

    monkeypatch.setattr(configuration, "read_configuration", short)
    for line in COMMANDS[path]:
        if "--scheduler" in line or "webgpu" in line:
            # The cluster tests start one; `make test-webgpu` has an environment for the other.
            continue
        run(line + SHORTER.get("adapt" if "--adapt" in line else line.split()[0], ""), place)


def test_commands_of_every_kind_are_found():
    assert {line.split()[0] for lines in QUICK.values() for line in lines} == {
        "predict",
        "evaluate",
        "models",
        "report",
    }
    everything = {line.split()[0] for lines in COMMANDS.values() for line in lines}
    assert everything >= {"predict", "evaluate", "models", "train", "export", "info", "verify", "benchmark"}
    assert len(QUICK[ROOT / "README.md"]) >= 5


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.filterwarnings("ignore:scan looks noisy or aliased")
@pytest.mark.usefixtures("place")
def test_the_examples_of_docstrings_run(module):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(import_module(module), optionflags=flags, report=True)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", FIRST_MET)
def test_what_one_meets_first_has_an_example(name):
    assert name in sr_keras.__all__
    found = getattr(sr_keras, name)
    methods = [each for _, each in inspect.getmembers(found, callable)] if inspect.isclass(found) else []
    assert any(">>> " in (inspect.getdoc(each) or "") for each in (found, *methods)), f"{name} has no example"
