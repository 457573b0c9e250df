"""What is promised of the package as a whole."""

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
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
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sr_keras", "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

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
