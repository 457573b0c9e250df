"""The examples of docstrings run."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["nifti"])
def test_examples(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(import_module(f"sr_keras.io.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
