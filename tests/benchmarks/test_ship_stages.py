"""A run becomes a stage that ships: `benchmarks/ship_stages.py`."""

import json
import runpy
import shutil
from pathlib import Path

import pytest

from sr_keras.models import stages
from sr_keras.models.stages import SHIPPED, shipped_stages
from sr_keras.training.configuration import parse_configuration

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ship_stages.py"
NAME = "georgescu2020_d_x2"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty folder of shipped stages, with the attribution."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(SHIPPED / "ATTRIBUTION.md", folder)
    monkeypatch.setattr(stages, "SHIPPED", folder)
    return folder


def write_run(folder, **values):
    """Write what a run leaves: a card that knows nothing but its training."""
    folder.mkdir()
    shutil.copy(SHIPPED / f"{NAME}.weights.h5", folder / "stage.weights.h5")
    card = json.loads((SHIPPED / f"{NAME}.json").read_text())
    (folder / "stage.json").write_text(json.dumps(card | {"data": {}, "parameters": 0, "macs": 0} | values))
    return folder


def test_a_run_is_named_completed_and_copied(package, tmp_path):
    ship = runpy.run_path(str(SCRIPT))["ship"]
    ship(str(write_run(tmp_path / "run")))
    (shipped,) = shipped_stages().values()
    assert (shipped.name, shipped.weights.parent) == (NAME, package)
    written, original = (json.loads((folder / f"{NAME}.json").read_text()) for folder in (package, SHIPPED))
    # What came to configurations and cards after the stage was trained has its default.
    assert parse_configuration(written.pop("configuration")) == parse_configuration(original.pop("configuration"))
    assert written == {"start": "", "averaged": {}} | original
    assert shipped.weights.read_bytes() == (SHIPPED / f"{NAME}.weights.h5").read_bytes()
    ship(NAME)
    assert shipped_stages()[NAME].card == shipped.card


def test_a_scan_that_nobody_is_credited_for_does_not_ship(package, tmp_path):
    run = write_run(tmp_path / "run", trained_on={"mine.nii.gz": "0" * 64})
    with pytest.raises(SystemExit, match=r"credited in ATTRIBUTION.md. Missing: mine.nii.gz"):
        runpy.run_path(str(SCRIPT))["ship"](str(run))
    assert [path.name for path in package.iterdir()] == ["ATTRIBUTION.md"]
