import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from sr_keras.cohort.attempts import attempt
from sr_keras.cohort.items import Folder
from sr_keras.cohort.parts import ALL, Part
from sr_keras.cohort.studies import find_folders, search
from sr_keras.dicom.reading import read_series
from sr_keras.errors import VolumeError

SERIES = Path(__file__).parents[1] / "data" / "dicom"


def relabelled(source, target, **values):
    """Copy a series with other attributes."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(target / f"{target.name}-{path.name}")


@pytest.fixture
def studies(tmp_path):
    """A flat folder with a series, one of two time points and a localiser; another with a damaged file."""
    root = tmp_path / "studies"
    for name in ("hitachi_implicit", "ge_fmri"):
        shutil.copytree(SERIES / name, root / "flat", dirs_exist_ok=True)
    scout = root / "flat" / "scout"
    relabelled(
        SERIES / "hitachi_implicit", scout, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesInstanceUID="1.2"
    )
    shutil.copytree(SERIES / "non_isotropic", root / "damaged" / "whole")
    shutil.copytree(SERIES / "hitachi_implicit", root / "damaged" / "cut")
    cut = root / "damaged" / "cut" / "001.dcm"
    cut.write_bytes(cut.read_bytes()[:600])
    return root


def folder(root, name):
    return Folder(name, root / name, root.parent / "out" / name)


def test_every_volume_of_a_folder_is_found_and_the_rest_refused(studies):
    scans, refused = search(folder(studies, "flat"), None)
    assert [(scan.name, scan.frame_group, len(scan.files)) for scan in scans] == [
        ("flat/series-0010-123afc72", None, 4),
        ("flat/series-0013-1b718149_group-1", 1, 8),
        ("flat/series-0013-1b718149_group-2", 2, 8),
    ]
    assert scans[0].geometry == ((64, 64, 4), (2.344, 2.344, 4.0))
    ((name, reason),) = refused.items()
    assert name.startswith("flat/series-0010-")
    assert reason == "a scan must be a volume. Received: a localiser (scout). Choose the series planned on it."


def test_a_damaged_file_costs_its_own_folder_only(studies):
    scans, refused = search(folder(studies, "damaged"), None)
    assert [scan.name for scan in scans] == ["damaged/series-0201-8a2ed25f"]
    assert list(refused) == ["damaged/cut"]
    assert "every DICOM file must be whole" in refused["damaged/cut"]


def test_a_folder_is_searched_and_its_scans_become_series_once(job, studies):
    job = replace(job, factors=(2, 2, 1))
    report = attempt(job, folder(studies, "flat"))
    assert [entry.state for entry in report.entries] == ["searched", "refused"]
    assert len(report.found) == 3
    for scan in report.found:
        (entry,) = attempt(job, scan).entries
        assert (entry.state, entry.reason) == ("done", "")
        assert len(entry.input_sha256) == 64
        (again,) = attempt(job, scan).entries
        assert again.state == "unchanged"
        assert again.warnings == entry.warnings
    made = read_series(report.found[1].output)
    before = read_series(SERIES / "ge_fmri", frame_group=1)
    assert made.shape == tuple(np.multiply(before.shape, (2, 2, 1)))
    (otherwise,) = attempt(replace(job, factors=(1, 1, 1)), report.found[0]).entries
    assert otherwise.reason == "its result was made with other options (factors); use --force to make it again"


def test_errors_name_the_study_and_not_the_folder_of_links(job, studies):
    scans, _ = search(folder(studies, "flat"), None)
    (entry,) = attempt(replace(job, factors=(2, 2, 2)), scans[0]).entries
    assert entry.state == "failed"
    assert entry.reason.startswith("64x64x4 voxels are too few for d x2 on k")


def test_a_zip_is_a_folder(job, tmp_path):
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in (SERIES / "hitachi_implicit").iterdir():
            archive.write(file, file.name)
    (item,) = find_folders(tmp_path, tmp_path / "out", ALL)
    (scan,) = attempt(job, item).found
    (entry,) = attempt(replace(job, factors=(2, 2, 1)), scan).entries
    assert entry.state == "done"


def test_folders_are_split_and_what_cannot_be_is_said(studies, tmp_path):
    assert [each.name for each in find_folders(studies, tmp_path / "out", ALL)] == ["damaged", "flat"]
    parts = [find_folders(studies, tmp_path / "out", Part(number, 3)) for number in (1, 2, 3)]
    assert sorted(each.name for part in parts for each in part) == ["damaged", "flat"]
    with pytest.raises(VolumeError, match="nowhere is no folder; name a folder of DICOM studies"):
        find_folders(tmp_path / "nowhere", tmp_path, ALL)
