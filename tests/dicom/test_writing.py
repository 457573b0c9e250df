import json
from importlib.metadata import version

import numpy as np
import pytest
from comparing import (
    DATA,
    PROCESSING,
    TOLERANCE,
    by_dcm2niix,
    by_simpleitk,
    canonical,
    corners,
    doubled,
    needs,
    violations,
)
from pydicom import dcmread
from synthetic import classic, enhanced, save

from sr_keras.dicom.finding import find_series
from sr_keras.dicom.reading import read_series
from sr_keras.dicom.writing import check_folder_output, check_source, write_series
from sr_keras.errors import OutputError
from sr_keras.volumes.volume import Volume

SERIES = {
    "ct": lambda place: save(classic("CT"), place / "scan"),
    "mr": lambda place: save(classic("MR", np.uint16), place / "scan"),
    "enhanced": lambda place: save([enhanced()], place / "scan"),
    **{path.name: lambda _, path=path: path for path in sorted(DATA.iterdir()) if path.is_dir()},
}
GROUPS = {"ge_fmri": 2, "philips_enhanced_fmri": 3}


@pytest.fixture(params=SERIES)
def series(request, tmp_path):
    """The folder of a series, what is read of it, that twice as large, and the folder it was written to."""
    scan = SERIES[request.param](tmp_path)
    volume = read_series(scan, frame_group=GROUPS.get(request.param))
    larger = doubled(volume)
    write_series(larger, tmp_path / "out", like=volume, processing=PROCESSING)
    return scan, volume, larger, tmp_path / "out"


def objects(folder):
    """The data sets of a written series, by name."""
    return [dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def test_what_is_written_is_read_again_and_lies_over_its_source(series):
    _, volume, larger, out = series
    again = read_series(out)
    step = max(again.header.frames[0].slope, 1e-3) if again.header.integer else 0
    np.testing.assert_allclose(again.voxels, larger.voxels, atol=0.51 * step)
    np.testing.assert_allclose(corners(again.shape, again.affine), corners(volume.shape, volume.affine), atol=TOLERANCE)


def test_simpleitk_reads_the_same(series):
    _, _, larger, out = series
    again = read_series(out)
    paths = [find_series(out)[0].sources[frame.file].path for frame in again.header.frames]
    voxels, affine = by_simpleitk(list(dict.fromkeys(paths)))
    np.testing.assert_allclose(affine, larger.affine, atol=TOLERANCE)
    np.testing.assert_allclose(voxels, again.voxels, rtol=1e-6, atol=1e-3)


@needs("dcm2niix")
def test_dcm2niix_reads_the_same(series, tmp_path):
    _, _, larger, out = series
    voxels, affine = canonical(*by_dcm2niix(out, tmp_path / "converted"))
    ours, our_affine = canonical(read_series(out).voxels, larger.affine)
    np.testing.assert_allclose(affine, our_affine, atol=TOLERANCE)
    np.testing.assert_allclose(voxels, ours, rtol=1e-5, atol=1e-3)


@needs("dciodvfy")
def test_dciodvfy_finds_no_errors_but_those_of_the_source(series):
    scan, _, _, out = series
    before = set().union(*(violations(path) for path in scan.iterdir()))
    for path in out.glob("*.dcm"):
        assert violations(path) <= before


def test_a_derived_object_says_what_it_is(tmp_path):
    source = classic("CT")
    volume = read_series(save(source, tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    written = objects(tmp_path / "out")
    first = written[0]
    assert len(written) == 10
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID", "Modality"):
        assert first[keyword].value == source[0][keyword].value
    assert first.SeriesInstanceUID not in (source[0].SeriesInstanceUID, "")
    assert len({each.SeriesInstanceUID for each in written}) == 1
    assert len({each.SOPInstanceUID for each in written} | {each.SOPInstanceUID for each in source}) == 15
    assert [each.InstanceNumber for each in written] == list(range(1, 11))
    assert first.ImageType == ["DERIVED", "SECONDARY", "AXIAL"]
    assert first.SeriesDescription == "axial SR 2x2x2 net_hw_x2"
    assert first.SeriesNumber == 401
    assert (first.Rows, first.Columns, first.PixelSpacing) == (64, 72, [0.375, 0.25])
    assert (first.SliceThickness, first.SpacingBetweenSlices, first.SliceLocation) == (1.5, 1.25, 29.375)
    # The edges stay: the first centre moves by a quarter of the old spacing.
    assert first.ImagePositionPatient == [-10.125, -20.1875, 29.375]
    assert (first.BitsAllocated, first.BitsStored, first.HighBit, first.PixelRepresentation) == (16, 16, 15, 1)
    assert (first.RescaleSlope, first.RescaleIntercept, first.WindowCenter, first.WindowWidth) == (1, -1024, 40, 400)
    assert first.SmallestImagePixelValue == first.pixel_array.min()
    assert first.LargestImagePixelValue == first.pixel_array.max()
    assert first.LossyImageCompression == "00"
    assert first.DerivationCodeSequence[0].CodeValue == "113085"
    assert "2x2x2" in first.DerivationDescription
    assert first.ContributingEquipmentSequence[0].SoftwareVersions == version("sr_keras")
    assert first.Manufacturer == "Maker"


def test_each_new_slice_names_the_slices_that_it_lies_between(tmp_path):
    source = classic("MR")
    volume = read_series(save(source, tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    uids = [each.SOPInstanceUID for each in source]
    named = [
        [uids.index(item.ReferencedSOPInstanceUID) for item in each.SourceImageSequence]
        for each in objects(tmp_path / "out")
    ]
    assert named == [[0], [0, 1], [0, 1], [1, 2], [1, 2], [2, 3], [2, 3], [3, 4], [3, 4], [4]]


def test_what_no_longer_holds_is_removed(tmp_path):
    datasets = classic("MR")
    for dataset in datasets:
        dataset.add_new(0x60000010, "US", 32)
        dataset.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
        dataset.add_new(0x00291010, "OB", b"\0\0")
        dataset.PixelPaddingValue, dataset.PixelAspectRatio = 0, [1, 1]
        dataset["PixelPaddingValue"].VR = "SS"
    volume = read_series(save(datasets, tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    first = objects(tmp_path / "out")[0]
    assert not any(element.tag.is_private or element.tag.group == 0x6000 for element in first)
    assert "PixelAspectRatio" not in first
    assert first.PixelPaddingValue == 0


def test_once_lossy_always_lossy(tmp_path):
    datasets = classic("MR")
    for dataset in datasets:
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", 8
        dataset.BurnedInAnnotation = "YES"
    volume = read_series(save(datasets, tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    first = objects(tmp_path / "out")[0]
    assert (first.LossyImageCompression, first.LossyImageCompressionRatio, first.BurnedInAnnotation) == ("01", 8, "YES")


def test_a_mirrored_image_keeps_its_window_on_the_same_tissue(tmp_path):
    datasets = classic("MR", np.uint16)
    for dataset in datasets:
        dataset.PhotometricInterpretation, dataset.WindowCenter = "MONOCHROME1", 1000
    volume = read_series(save(datasets, tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    first = objects(tmp_path / "out")[0]
    assert (first.PhotometricInterpretation, first.WindowCenter) == ("MONOCHROME2", 64535)


def test_values_beyond_16_bits_are_clipped(tmp_path):
    volume = read_series(save(classic("CT"), tmp_path / "scan"))
    larger = doubled(volume)
    write_series(larger.with_voxels(larger.voxels * 1e6), tmp_path / "out", like=volume, processing=PROCESSING)
    again = read_series(tmp_path / "out")
    assert (again.voxels.min(), again.voxels.max()) == (-32768 - 1024, 32767 - 1024)


def test_an_enhanced_object_stays_one(tmp_path):
    source = enhanced()
    volume = read_series(save([source], tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    (written,) = objects(tmp_path / "out")
    assert written.SOPClassUID == source.SOPClassUID
    assert (written.NumberOfFrames, written.Rows, written.Columns) == (10, 64, 72)
    assert written.ImageType == ["DERIVED", "PRIMARY", "T1", "NONE"]
    frames = written.PerFrameFunctionalGroupsSequence
    assert [frame.FrameContentSequence[0].DimensionIndexValues for frame in frames] == [[1, k] for k in range(1, 11)]
    references = [frame.DerivationImageSequence[0].SourceImageSequence for frame in frames]
    # The source's frames run from the top down: its last is the lowest.
    assert [reference[0].ReferencedFrameNumber for reference in references[:3]] == [5, [4, 5], [4, 5]]


def test_an_enhanced_object_without_shared_groups_is_written(tmp_path):
    source = enhanced()
    shared = source.SharedFunctionalGroupsSequence[0]
    for frame in source.PerFrameFunctionalGroupsSequence:
        frame.update(shared)
    del source.SharedFunctionalGroupsSequence
    volume = read_series(save([source], tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    again = read_series(tmp_path / "out")
    assert (again.shape, again.spacing) == ((72, 64, 10), (0.25, 0.375, 1.25))


# As Siemens XA30 writes them.
PULSE_SEQUENCE = {
    "PulseSequenceName": "*tfl3d1",
    "MRAcquisitionType": "3D",
    "EchoPulseSequence": "GRADIENT",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "CoverageOfKSpace": "FULL",
    "NumberOfKSpaceTrajectories": 1,
}


@needs("dciodvfy")
def test_what_only_acquired_enhanced_objects_may_say_is_removed(tmp_path):
    source = enhanced()
    for keyword, value in PULSE_SEQUENCE.items():
        setattr(source, keyword, value)
    scan = save([source], tmp_path / "scan")
    volume = read_series(scan)
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    assert violations(tmp_path / "out" / "IM000001.dcm") <= violations(scan / "000.dcm")


def test_the_sidecar_says_what_was_done_and_not_to_whom(tmp_path):
    volume = read_series(save(classic("CT"), tmp_path / "scan"))
    write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    text = (tmp_path / "out" / "sr_keras.json").read_text()
    record = json.loads(text)
    assert record["models"] == {"net_hw_x2": {"weights_sha256": "ab" * 32}}
    assert (record["engine"], record["scale"], record["parameters"]) == (
        "TestEngine",
        [2, 2, 2],
        {"self_ensemble": "none"},
    )
    assert record["input"]["sha256"] == volume.header.sha256
    assert "Zyx" not in text


def test_a_folder_is_replaced_only_when_asked_and_only_if_it_is_ours(tmp_path):
    scan, out = save(classic("CT"), tmp_path / "scan"), tmp_path / "out"
    volume = read_series(scan)
    check_folder_output(out, scan, force=False)
    write_series(doubled(volume), out, like=volume, processing=PROCESSING)
    with pytest.raises(OutputError, match="out exists; use --force to overwrite"):
        check_folder_output(out, scan, force=False)
    check_folder_output(out, scan, force=True)
    write_series(volume, out, like=volume, processing=PROCESSING)
    assert len(list(out.glob("*.dcm"))) == 5
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists and is no series of sr-keras; choose a new folder"):
        check_folder_output(out, scan, force=True)
    with pytest.raises(OutputError, match="is in the scan's folder; choose an output apart from it"):
        check_folder_output(scan / "out", scan, force=False)
    with pytest.raises(OutputError, match=r"nowhere does not exist; create"):
        check_folder_output(tmp_path / "nowhere" / "out", scan, force=False)


def test_nothing_is_left_of_a_series_that_could_not_be_written(tmp_path, monkeypatch):
    volume = read_series(save(classic("CT"), tmp_path / "scan"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sr_keras.dicom.writing.write_sidecar", full)
    with pytest.raises(OutputError, match="out could not be written: No space left on device"):
        write_series(doubled(volume), tmp_path / "out", like=volume, processing=PROCESSING)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan"]


def test_a_source_that_is_not_dicom_or_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"Only a scan read from DICOM .* Name the output .nii"):
        check_source(Volume(np.zeros((3, 3, 3)), np.eye(4)))
    volume = read_series(save(classic("CT"), tmp_path / "scan"))
    for frame in volume.header.frames:
        frame.header.ContributingEquipmentSequence = None
        frame.header["StudyDate"]._value = object()
    with pytest.raises(OutputError, match="attributes must be writable"):
        check_source(volume)
