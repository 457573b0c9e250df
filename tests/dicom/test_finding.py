import shutil
import time
import zipfile
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, RTStructureSetStorage, generate_uid
from synthetic import PATIENT, classic, enhanced, save, seal

from sr_keras.dicom.finding import choose_series, find_series, is_dicom
from sr_keras.dicom.reading import read_series
from sr_keras.errors import VolumeError


@pytest.fixture
def study(tmp_path):
    """Two series in subfolders, a structure set, and a file that is no DICOM."""
    save(classic("CT"), tmp_path / "a")
    other = classic("MR", slices=4)
    for dataset in other:
        dataset.SeriesNumber, dataset.SeriesDescription = 7, "T1"
        dataset.SpacingBetweenSlices = 2.5
    save(other, tmp_path / "b" / "deep")
    structures = Dataset()
    structures.SeriesInstanceUID = generate_uid()
    dcmwrite(tmp_path / "structures.dcm", seal(structures, RTStructureSetStorage), enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("nothing")
    return tmp_path


def test_series_are_found_by_number_and_others_left_out(study):
    first, second = find_series(study)
    assert (first.number, len(first.sources), second.number, len(second.sources)) == (4, 5, 7, 4)
    assert first.summary == '4 "axial" 36x32x5 of 0.5x0.75x3 mm'
    assert second.summary == '7 "T1" 36x32x4 of 0.5x0.75x2.5 mm'


def test_one_of_several_series_must_be_chosen(study):
    found = find_series(study)
    assert choose_series(found, study, "7") is found[1]
    assert choose_series(found, study, found[0].uid) is found[0]
    with pytest.raises(VolumeError, match=r'must be chosen. Received: 4 "axial" .*; 7 "T1" .* Add --series NUMBER'):
        choose_series(found, study, None)
    with pytest.raises(VolumeError, match=r'must name a series that is there. Received: 5, and 4 "axial"'):
        choose_series(found, study, "5")


def test_series_that_share_a_number_are_told_apart_by_uid(tmp_path):
    save(classic("CT"), tmp_path / "a")
    save(classic("CT"), tmp_path / "b")
    found = find_series(tmp_path)
    with pytest.raises(VolumeError, match=rf"UID {found[0].uid}"):
        choose_series(found, tmp_path, None)
    with pytest.raises(VolumeError, match=rf"the number of 2. Give the UID of one: .*{found[1].uid}"):
        choose_series(found, tmp_path, "4")


def test_a_zip_and_a_single_file_are_as_good_as_a_folder(study):
    with zipfile.ZipFile(study / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (study / "a").iterdir():
            archive.write(path, f"folder/{path.name}")
    assert [len(series.sources) for series in find_series(study / "scan.zip")] == [5]
    path = study / "enhanced"
    dcmwrite(path, enhanced(), enforce_file_format=True)
    assert find_series(path)[0].summary == '4 "axial" 36x32x5 of 0.5x0.75x2.5 mm'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere", None, "nowhere does not exist; check the path"),
        ("notes", b"nothing", "must hold DICOM images. Received: no DICOM file"),
        ("empty", b"", "must hold DICOM images. Received: no DICOM file"),
        ("cut", bytes(128) + b"DICM", r"Received: no SOP Class UID|Received: data that cannot be read"),
        ("cut.zip", b"PK\x05\x06" + bytes(18), "Received: no DICOM file"),
    ],
)
def test_what_is_no_series(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VolumeError, match=message):
        find_series(tmp_path / name)


def test_objects_without_an_image_are_named(study):
    with pytest.raises(VolumeError, match="Received: only RT Structure Set Storage"):
        find_series(study / "structures.dcm")


def test_is_dicom(study):
    assert is_dicom(study)
    assert is_dicom(study / "structures.dcm")
    assert not is_dicom(study / "notes.txt")
    assert not is_dicom(study / "nowhere")


def test_a_truncated_file_is_refused_without_a_name(study, capfd, caplog):
    path = next((study / "a").iterdir())
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(VolumeError, match="Copy .* again from its source") as raised:
        find_series(study)
    said = str(raised.value) + caplog.text + "".join(capfd.readouterr())
    assert not any(part in said for part in PATIENT.split("^"))


def test_a_description_that_ran_into_its_neighbours_is_not_shown(tmp_path):
    datasets = classic("CT")
    for dataset in datasets:
        dataset.SeriesDescription = f"axial\x10\x00\x10\x00PN{PATIENT}"
    assert find_series(save(datasets, tmp_path / "scan"))[0].summary.startswith('4 "no description"')


def damaged(datasets, folder, name, content):
    """Put something in the place of a slice's file."""
    scan = save(datasets, folder)
    (scan / name).write_bytes(content)
    return scan


@pytest.mark.parametrize("name", ["000.dcm", "002.dcm", "004.dcm"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Received: {name}, an empty file. Copy the scan again"),
        (bytes(100), "Received: {name}, an empty file"),
        (bytes(4000), "Received: {name}, an empty file"),
        (b"<html>404</html>", "Received: {name}, which is no DICOM"),
    ],
)
def test_a_lost_slice_is_said_wherever_it_is(tmp_path, name, content, message):
    scan = damaged(classic("CT"), tmp_path / "scan", name, content)
    with pytest.raises(VolumeError, match=message.format(name=name)):
        read_series(scan)


@pytest.mark.parametrize("part", [0.05, 0.2, 0.4, 0.7, 0.99])
@pytest.mark.parametrize("name", ["000.dcm", "004.dcm"])
def test_a_truncated_slice_is_said_wherever_it_is(tmp_path, name, part):
    scan = save(classic("CT"), tmp_path / "scan")
    data = (scan / name).read_bytes()
    (scan / name).write_bytes(data[: int(part * len(data))])
    with pytest.raises(VolumeError, match=f"{name}.* must be .*Copy .* again from its source"):
        read_series(scan)
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", scan)
    with pytest.raises(VolumeError, match=f"packed.zip: .*{name}.* must be .*Copy .* again from its source"):
        read_series(Path(packed))


def test_an_empty_file_among_files_without_suffix_is_a_lost_slice_too(tmp_path):
    scan = save(classic("CT"), tmp_path / "scan")
    for path in list(scan.iterdir()):
        path.rename(scan / f"IM.{path.stem}")
    (scan / "IM.005").write_bytes(b"")
    with pytest.raises(VolumeError, match="IM.005, an empty file"):
        read_series(scan)


@pytest.mark.parametrize(
    ("name", "content"), [("done", b""), ("notes.txt", b""), ("._000.dcm", b"\0\5\x16\7" + bytes(99))]
)
def test_other_files_beside_a_series_are_left_out(tmp_path, name, content):
    assert read_series(damaged(classic("CT"), tmp_path / "scan", name, content)).shape == (36, 32, 5)


def test_a_lost_slice_of_another_series_is_none_of_this_one(tmp_path):
    save(classic("CT"), tmp_path / "a")
    other = classic("MR")
    for dataset in other:
        dataset.SeriesNumber = 7
    damaged(other, tmp_path / "b", "009.dcm", b"")
    assert read_series(tmp_path, series="4").modality == "CT"
    with pytest.raises(VolumeError, match="009.dcm, an empty file"):
        read_series(tmp_path, series="7")


@pytest.fixture
def directory():
    """A DICOMDIR, whose class stands in the file meta information alone."""
    dataset = Dataset()
    dataset.FileSetID, dataset.DirectoryRecordSequence = "CD", []
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return dataset


def test_a_dicomdir_is_left_out_of_folders_and_zips(tmp_path, directory):
    scan = save(classic("CT"), tmp_path / "scan")
    dcmwrite(scan / "DICOMDIR", directory, enforce_file_format=True)
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for path in scan.iterdir():
            archive.write(path, path.name)
    assert [read_series(each).shape for each in (scan, tmp_path / "scan.zip")] == [(36, 32, 5)] * 2
    with pytest.raises(VolumeError, match="only a DICOMDIR, which lists files but holds none"):
        read_series(scan / "DICOMDIR")


def test_frames_that_a_file_cannot_hold_are_refused_at_once(tmp_path):
    dataset = enhanced()
    dataset.NumberOfFrames = 60000
    dataset.PerFrameFunctionalGroupsSequence = [
        deepcopy(each) for each in dataset.PerFrameFunctionalGroupsSequence[:1] for _ in range(6000)
    ]
    scan = save([dataset], tmp_path / "scan")
    start = time.process_time()
    with pytest.raises(VolumeError, match="Received: 60000 frames in a file with fewer. Copy the scan again"):
        read_series(scan)
    assert time.process_time() - start < 1
