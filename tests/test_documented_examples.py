"""What readers copy runs: the Python of the documents, the first commands of the README, and docstrings' examples."""

import doctest
import inspect
import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from dicom.synthetic import classic, save

import sr_keras
from sr_keras.cli import main

ROOT = Path(__file__).parents[1]
TEXTS = {path: path.read_text() for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])}
PROGRAMS = {path: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for path, text in TEXTS.items()}
# Those that a reader can run with a scan, a folder of scans and a DICOM series at hand.
QUICK = [
    line.strip()
    for line in TEXTS[ROOT / "README.md"].splitlines()
    if re.match(r" +sr-keras (predict|models|evaluate) ", line + " ") and "runs/" not in line
]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "sr_keras").rglob("*.py")
    if ">>> " in path.read_text()
)
FIRST_MET = (
    *("Upscaler", "Volume", "build_network", "choose_stages", "find_stage", "load_engine", "read_configuration"),
    *("read_volume", "shipped_stages", "write_volume"),
)


# The commands of the pages about `predict`, with a scan, a folder, a series, a segmentation and another image at hand.
PAGES = [
    line.strip()
    for name in ("predict.md", "formats.md")
    for line in TEXTS[ROOT / "docs" / name].splitlines()
    if re.match(r" +sr-keras predict ", line) and "--quality best" not in line
]


@pytest.fixture
def place(small_scan, tmp_path, monkeypatch):
    """The working directory that the documents assume."""
    for name in ("scan.nii.gz", "scans/a.nii.gz", "scans/b.nii.gz", "others/c.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(small_scan, tmp_path / name)
    save(classic("MR", np.uint16, slices=16), tmp_path / "series")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", [path for path, found in PROGRAMS.items() if found], ids=lambda path: path.name)
@pytest.mark.usefixtures("place")
def test_the_python_of_a_document_runs(path):
    names = {}
    for program in PROGRAMS[path]:
        exec(compile(program, path.name, "exec"), names)


def test_the_python_of_the_readme_is_among_them():
    assert PROGRAMS[ROOT / "README.md"]


@pytest.mark.parametrize("line", QUICK)
def test_a_command_of_the_readme_runs(line, place):
    words = shlex.split(line, comments=True)
    assert words.pop(0) == "sr-keras"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    outputs = [words[number + 1] for number, word in enumerate(words) if word in ("-o", "--output", "--figure")]
    assert all((place / output).exists() for output in outputs)


@pytest.fixture
def rich_place(place, small_scan):
    """More files that the pages about prediction assume; the scans in them are smaller."""
    scan = nibabel.load(small_scan).slicer[8:32, 6:30, :20]
    for name in ("scan.nii.gz", "scans/a.nii.gz", "scans/b.nii.gz", "a.nii.gz", "b.nii.gz", "other.nii.gz"):
        nibabel.save(scan, place / name)
    voxels = np.asarray(scan.dataobj)
    nibabel.save(nibabel.Nifti1Image((voxels > 300).astype(np.uint8), scan.affine), place / "labels.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.stack([voxels] * 3, axis=-1), scan.affine), place / "series.nii.gz")


@pytest.mark.usefixtures("rich_place")
@pytest.mark.parametrize("line", PAGES)
def test_a_command_of_the_pages_about_prediction_runs(line):
    words = shlex.split(line, comments=True)
    assert words.pop(0) == "sr-keras"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output


def test_the_first_commands_are_found():
    assert len(PAGES) >= 15
    assert len(QUICK) >= 5
    assert {line.split()[1] for line in QUICK} == {"predict", "evaluate", "models"}


@pytest.mark.parametrize("module", MODULES)
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
