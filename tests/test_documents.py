"""The documents that `python benchmarks/zoo.py` writes are those that it would write now."""

import runpy
from pathlib import Path

import pytest

ZOO = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "zoo.py"))
DOCUMENTS = ZOO["documents"]()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_what_the_cards_and_the_results_say(path):
    assert path.read_text() == DOCUMENTS[path], "run python benchmarks/zoo.py"


def test_only_what_stands_between_the_comments_is_replaced():
    assert ZOO["replaced"]("a\n<!-- zoo -->\nold\n<!-- /zoo -->\nb\n", "new") == (
        "a\n<!-- zoo -->\nnew\n<!-- /zoo -->\nb\n"
    )
