import zipfile

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.uid import RTStructureSetStorage, generate_uid
from synthetic import PATIENT, classic, enhanced, save, seal

from sr_keras.dicom.finding import choose_series, find_series, is_dicom
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
