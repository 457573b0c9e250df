"""The documents are up to date: tables as `python benchmarks/zoo.py` writes them, commands and paths that exist."""

import re
import runpy
import shlex
from dataclasses import replace
from pathlib import Path

import click
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
