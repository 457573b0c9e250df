"""The documents are up to date: tables as `python benchmarks/zoo.py` writes them, commands and paths that exist."""

import ast
import re
import runpy
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import click
import nibabel
import numpy as np
import pytest

from sr_keras.cli import main
from sr_keras.models.stages import shipped_stages

ROOT = Path(__file__).parents[1]
ZOO = runpy.run_path(str(ROOT / "benchmarks" / "zoo.py"))
DOCUMENTS = ZOO["documents"]()
TEXTS = {path: path.read_text() for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_what_the_cards_and_the_results_say(path):
    assert path.read_text() == DOCUMENTS[path], "run python benchmarks/zoo.py"


def commands(text):
    """The commands in the indented lines of a document, joined where they go on, without their comments."""
    lines = re.sub(r" \\\n +", " ", text).splitlines()
    return [line.partition("  #")[0].strip() for line in lines if re.match(" {4}(sr-keras|python) ", line)]


def test_every_kind_of_command_is_found():
    text = "    sr-keras train a \\\n        --data b\n\n    python x.py   # y\nsr-keras models\n"
    assert commands(text) == ["sr-keras train a --data b", "python x.py"]
    assert sum(len(commands(text)) for text in TEXTS.values()) > 40


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_have_the_options_that_documents_give_them(path):
    for command in commands(TEXTS[path]):
        program, name, *words = shlex.split(command)
        if program == "python":
            assert (ROOT / name).is_file(), command
            continue
        known = main.get_command(click.Context(main), name)
        assert known is not None, command
        options = {option for parameter in known.params for option in parameter.opts}
        assert {word for word in words if re.match("--?[a-z]", word)} <= options, command


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_and_paths_lead_to_files(path):
    links = re.findall(r"\]\(([^):]+)\)", TEXTS[path])
    assert not [link for link in links if not (path.parent / link).exists()]
    named = re.findall(r"`((?:docs|benchmarks|sr_keras|export|samples|configs)/[\w./]+\.\w+)`", TEXTS[path])
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.filterwarnings("ignore:scan looks noisy or aliased")
def test_the_python_example_of_the_readme_runs(small_scan, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", TEXTS[ROOT / "README.md"], re.DOTALL)
    shutil.copy(small_scan, tmp_path / "scan.nii.gz")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    scan, result = nibabel.load("scan.nii.gz"), nibabel.load("super_resolved.nii.gz")
    assert result.shape == tuple(np.multiply(scan.shape, (2, 2, 1)))
    assert result.get_data_dtype() == scan.get_data_dtype()


def test_modules_that_the_architecture_names_exist():
    text = TEXTS[ROOT / "docs" / "architecture.md"]
    names = {Path(name).name for name in re.findall(r"`([\w/]+\.py)`", text)}
    assert names <= {path.name for folder in ("sr_keras", "tests") for path in (ROOT / folder).rglob("*.py")}
    paths = [name for name in re.findall(r"`(\w+/\w+\.py)`", text) if name.partition("/")[0] != "tests"]
    assert not [name for name in paths if not (ROOT / "sr_keras" / name).is_file()]


def test_layers_import_only_from_layers_above_them_in_the_table():
    layers = re.findall(r"^\| `(\w+)` \|", TEXTS[ROOT / "docs" / "architecture.md"], re.MULTILINE)
    paths = [path for path in (ROOT / "sr_keras").glob("[a-z]*") if path.is_dir() or path.suffix == ".py"]
    found = {path.stem: path for path in paths if path.name != "weights"}
    assert set(found) == set(layers)
    for layer in layers:
        upwards = {name for name in imported(found[layer]) if layers.index(name) > layers.index(layer)}
        assert not upwards, f"{layer} imports {upwards}"


def imported(layer):
    """The layers whose modules a layer names in its imports."""
    modules = [layer] if layer.is_file() else layer.glob("*.py")
    nodes = [node for module in modules for node in ast.walk(ast.parse(module.read_text()))]
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[1] for name in names if name.startswith("sr_keras.")}


def test_only_what_stands_between_the_comments_is_replaced():
    assert ZOO["replaced"]("a\n<!-- zoo -->\nold\n<!-- /zoo -->\nb\n", "new") == (
        "a\n<!-- zoo -->\nnew\n<!-- /zoo -->\nb\n"
    )


def test_the_time_of_a_slice_is_a_median_and_its_ratio_that_of_each_repeat():
    card = replace(shipped_stages()["georgescu2020_hw_x2"].card, family="fast")
    latency = {"medians_s": {"fast_hw_x2": [0.01, 0.02, 0.09], "georgescu2020_hw_x2": [0.04, 0.04, 0.1]}}
    assert ZOO["milliseconds"](card, latency) == ("20.0", "0.50")
    assert ZOO["milliseconds"](replace(card, scale=4), latency) == ("-", "-")
    latency["medians_s"]["fast_hw_x4"] = [0.03]
    assert ZOO["milliseconds"](replace(card, scale=4), latency) == ("30.0", "-")


def test_the_difference_of_two_methods_is_that_of_their_means():
    own, others = (
        [{"method": method, "slice_psnr": psnr, "slice_ssim": ssim} for psnr, ssim in figures]
        for method, figures in (("fast", [(32.0, 0.94), (24.0, 0.9)]), ("lanczos", [(30.0, 0.9), (25.0, 0.92)]))
    )
    assert ZOO["difference"](own, others) == "+0.50 / +0.0100"
    assert ZOO["difference"](own, own) == ZOO["difference"](own, []) == "-"


def test_a_file_that_was_refused_stands_in_the_table():
    row = {
        "model": "fast_hw_x2",
        "format": "ONNX",
        "precision": "int8",
        "bytes": None,
        "verification": {"status": "refused", "reason": "too far"},
    }
    *_, line = ZOO["export_table"]([row]).splitlines()
    assert " ".join(line.split()) == "| fast_hw_x2 | ONNX int8 | - | - | - | - | - | refused |"
