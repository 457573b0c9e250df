"""What is promised of the package as a whole, and of its releases."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from helpers import SAMPLE

import sr_keras

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ("tensorflow", "keras", "jax", "torch")


def test_the_public_names_are_sorted_and_all_there():
    assert list(sr_keras.__all__) == sorted(sr_keras.__all__)
    for name in sr_keras.__all__:
        assert getattr(sr_keras, name).__module__.startswith("sr_keras.")
    assert set(sr_keras.__all__) <= set(dir(sr_keras))
    with pytest.raises(AttributeError, match="no attribute 'Unet'"):
        sr_keras.Unet  # noqa: B018


@pytest.mark.parametrize(
    "module", ["sr_keras", "sr_keras.cli", "sr_keras.inference.upscaler", "sr_keras.models.stages"]
)
def test_no_framework_is_imported_before_it_is_used(module):
    program = f"import sys, {module}; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_answers_at_once():
    def seconds() -> float:
        """Of the processor, since others may be busy with it."""
        start = os.times()
        subprocess.run([sys.executable, "-m", "sr_keras", "--help"], capture_output=True, check=True)
        end = os.times()
        return end.children_user + end.children_system - start.children_user - start.children_system

    assert min(seconds() for _ in range(5)) < 0.4


def run_without(modules, *arguments):
    """Run a command where some modules cannot be imported."""
    program = f"import sys; sys.modules.update(dict.fromkeys({modules})); from sr_keras.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_what_needs_no_extra_works_without_and_what_needs_one_names_it(tmp_path):
    new = str(tmp_path / "new")
    training_scans = ("--data", str(SAMPLE), "--validation", str(SAMPLE))
    extras = ("PIL", "skimage", "matplotlib", *FRAMEWORKS)
    assert "georgescu2020_hw_x2" in run_without(extras, "models").stdout
    for module, command, extra in (
        ("skimage", ["evaluate", str(SAMPLE)], "evaluate"),
        ("keras", ["train", "georgescu2020_hw_x2", *training_scans, "-o", new], "train"),
        ("keras", ["export", "georgescu2020_hw_x2", "--format", "onnx", "-o", new], "train"),
    ):
        done = run_without((module,), *command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith(f"pip install 'sr_keras[{extra}]'.\n")
        assert done.stderr.count("\n") == 1
        assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, capture_output=True, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_the_wheel_installs_one_top_level_name(wheel):
    names = {name.split("/")[0] for name in wheel}
    assert {name for name in names if not name.endswith(".dist-info")} == {"sr_keras"}


def test_the_wheel_carries_weights_and_configurations(wheel):
    for folder, source in (("sr_keras/configs", ROOT / "configs"), ("sr_keras/weights", ROOT / "sr_keras" / "weights")):
        for path in source.glob("[!_]*.*"):
            assert f"{folder}/{path.name}" in wheel


def version_of(folder):
    """The version that a source tree is built with."""
    command = [sys.executable, "-m", "setuptools_scm"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an archive has no tags")
def test_the_version_is_that_of_the_tag(tmp_path):
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(tmp_path)], check=True)
    subprocess.run(["git", "tag", "v9.8.7"], cwd=tmp_path, check=True)
    assert version_of(tmp_path) == "9.8.7"


def test_an_archive_without_git_has_the_version_of_the_citation(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert version_of(tmp_path) == citation["version"]
    assert citation["license"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]


def test_the_changelog_keeps_its_form():
    headings = re.findall(r"^##+ .*$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "## [Unreleased]"
    releases = r"## \[Unreleased\]|## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d"
    changes = "### (Added|Changed|Deprecated|Removed|Fixed|Security)"
    assert [each for each in headings if not re.fullmatch(f"{releases}|{changes}", each)] == []


def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "(i, j, k)" in (tmp_path / "site" / "reference" / "upscaling" / "index.html").read_text()


@pytest.mark.slow
def test_a_release_installs_in_fresh_environments_and_predicts(tmp_path):
    """Both distributions, with the base dependencies only."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, capture_output=True, check=True)
    distributions = sorted((tmp_path / "dist").iterdir())
    assert [path.suffix for path in distributions] == [".whl", ".gz"]
    subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *distributions], capture_output=True, check=True
    )
    for path in distributions:
        fresh = tmp_path / path.suffix
        venv.create(fresh, with_pip=True)
        subprocess.run([fresh / "bin" / "pip", "install", "--quiet", path], capture_output=True, check=True)
        words = ["predict", SAMPLE, "-o", tmp_path / f"out{path.suffix}.nii.gz", "--scale", "2x2x1"]
        subprocess.run([fresh / "bin" / "sr-keras", *words], cwd=tmp_path, capture_output=True, check=True)
        installed = subprocess.run([fresh / "bin" / "pip", "freeze"], capture_output=True, text=True, check=True).stdout
        assert not [name for name in FRAMEWORKS if re.search(rf"^{name}\b", installed, re.MULTILINE)]
