"""What the tests share: the sample scan, and small scans made of it."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import nibabel
import numpy as np
import pytest
from helpers import SAMPLE
from hypothesis import settings
from results import doubled

from sr_keras.inference.budget import budget_of
from sr_keras.io.nifti import read_volume
from sr_keras.volumes.volume import Volume

# What a shell starts in the background ignores Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# On a busy machine any example may take long.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what is measured of engines, apart from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def sample() -> Volume:
    """The sample MRI, 168x80x112."""
    return read_volume(SAMPLE)


@pytest.fixture(scope="session")
def small_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with 48x40x24 voxels of brain, int16."""
    path = tmp_path_factory.mktemp("scans") / "brain.nii.gz"
    nibabel.save(nibabel.load(SAMPLE).slicer[60:108, 36:76, 40:64], path)
    return path


@pytest.fixture(scope="session")
def small_result(small_scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small scan with each voxel eight times, 96x80x48, and a sidecar that says how a network made it."""
    return doubled(small_scan, tmp_path_factory.mktemp("results") / "result.nii.gz")


@pytest.fixture
def resident_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process seems to take 1 GB, while really it takes more or less from one plan to the next."""
    monkeypatch.setattr(
        "sr_keras.inference.upscaler.budget_of",
        lambda memory, *, disk: replace(budget_of(memory, disk=disk), resident=10**9),
    )


@pytest.fixture
def noise() -> np.ndarray:
    """Voxels without any structure, (20, 18, 16), int16."""
    return np.random.default_rng(0).integers(0, 1000, (20, 18, 16), dtype=np.int16)
