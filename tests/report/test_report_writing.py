import json
import shutil

import nibabel
import numpy as np
import pytest
from helpers import write_scan
from results import doubled, structure_of

from sr_keras.errors import OutputError, VolumeError
from sr_keras.report.writing import OTHER_SCAN, Report, write_report


@pytest.fixture
def named(small_scan, tmp_path):
    """A scan and its result whose files bear a patient's name, which the record's warning repeats."""
    scan = tmp_path / "Doe_Jane_1970.nii.gz"
    shutil.copy(small_scan, scan)
    return scan, doubled(scan, tmp_path / "Doe_Jane_1970_sr.nii.gz", suffix="thickness from Doe_Jane_1970.json <b>")


def test_a_page_names_nobody_unless_asked(named, tmp_path):
    warnings = write_report(Report(*named), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Doe_Jane" not in text
    assert "thickness from the scan.json &lt;b&gt;" in text
    assert warnings == ["a short axis", "thickness from the scan.json <b>"]
    write_report(Report(*named, identify=True), tmp_path / "named.html")
    assert "<dd>Doe_Jane_1970.nii.gz</dd>" in (tmp_path / "named.html").read_text()


def test_a_page_loads_nothing_and_is_well_formed(small_scan, small_result, tmp_path):
    write_report(Report(small_scan, small_result), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert set(structure_of(text).addresses) == {"#made"}
    assert 1e6 < len(text) < 1.6e6
    # Of the addresses in the viewer's own source nothing is left: it is compressed.
    assert "https://" not in text
    assert "48x40x24 voxels of 1.14583x1.14583x1 mm, MR became 96x80x48 voxels" in text
    assert "Where the uncertainty is largest" not in text


def test_maps_are_shown_with_ten_places(small_scan, small_result, tmp_path):
    image = nibabel.load(small_result)
    write_scan(tmp_path / "u.nii.gz", np.abs(image.get_fdata()).astype(np.float32), image.affine)
    maps = {"uncertainty": tmp_path / "u.nii.gz", "residual": tmp_path / "u.nii.gz"}
    write_report(Report(small_scan, small_result, maps), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    facts = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    assert list(facts["layers"]) == ["scan", "result", "uncertainty", "residual"]
    assert 1 <= len(facts["places"]) <= 10
    assert text.count("<li><button") == len(facts["places"])
    x, y, z = facts["places"][0]
    index = np.linalg.solve(image.affine, [x, y, z, 1])[:3]
    assert (index >= 0).all()
    assert (index < image.shape).all()


def test_a_map_whose_record_says_otherwise_is_refused(small_scan, small_result, tmp_path):
    image = nibabel.load(small_result)
    sha256 = json.loads((small_result.parent / "result.json").read_text())["sr_keras"]["input_sha256"]

    def written(name, description, made_of):
        record = {"Description": description, "sr_keras": {"input_sha256": made_of}}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
        return write_scan(tmp_path / f"{name}.nii.gz", np.ones(image.shape, np.float32), image.affine)

    widths = "Half-widths of intervals around the voxels of a super-resolved scan"
    right, other = written("right", widths, sha256), written("other", widths, "f" * 64)
    write_report(Report(small_scan, small_result, {"uncertainty": right}), tmp_path / "page.html")
    with pytest.raises(VolumeError, match=r'right.nii.gz is no residual but "Half-widths .*"; name the residual map'):
        write_report(Report(small_scan, small_result, {"residual": right}), tmp_path / "no.html")
    shutil.copy(small_result, tmp_path / "alone.nii.gz")
    for result in (small_result, tmp_path / "alone.nii.gz"):
        with pytest.raises(VolumeError, match=r"other.nii.gz was made of another scan; name the map that was made wit"):
            write_report(Report(small_scan, result, {"uncertainty": other}), tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()


def test_a_result_of_a_corner_of_the_scan_is_refused_unless_it_has_another_grid(small_scan, small_result, tmp_path):
    image = nibabel.load(small_result)
    corner = write_scan(tmp_path / "corner.nii.gz", np.asarray(image.dataobj)[:20, :20], image.affine)
    with pytest.raises(VolumeError, match=r"corner.nii.gz covers 5.2 % of .*; name the scan that it was made of\."):
        write_report(Report(small_scan, corner), tmp_path / "page.html")
    record = json.loads((small_result.parent / "result.json").read_text())
    record["sr_keras"]["request"]["like"] = {"shape": [20, 20, 48]}
    (tmp_path / "corner.json").write_text(json.dumps(record))
    write_report(Report(small_scan, corner), tmp_path / "page.html")


def test_a_record_of_another_scan_is_told(small_scan, small_result, tmp_path):
    image = nibabel.load(small_scan)
    other = write_scan(tmp_path / "other.nii.gz", np.asarray(image.dataobj)[::-1], image.affine)
    assert OTHER_SCAN in write_report(Report(other, small_result), tmp_path / "page.html")
    shutil.copy(small_result, tmp_path / "alone.nii.gz")
    (warning,) = write_report(Report(small_scan, tmp_path / "alone.nii.gz"), tmp_path / "alone.html")
    assert warning.startswith("There is no record of sr_keras beside the result")


def test_of_a_time_series_the_first_volume_is_shown(small_scan, small_result, tmp_path):
    image, result = nibabel.load(small_scan), nibabel.load(small_result)
    scan = write_scan(tmp_path / "scan.nii.gz", np.stack([np.asarray(image.dataobj)] * 2, axis=-1), image.affine)
    series = np.stack([np.asarray(result.dataobj)] * 2, axis=-1)
    write_report(Report(scan, write_scan(tmp_path / "result.nii.gz", series, result.affine)), tmp_path / "page.html")
    assert "48x40x24 voxels" in (tmp_path / "page.html").read_text()


def test_mistakes_are_told_before_anything_is_written(small_scan, small_result, tmp_path):
    page = tmp_path / "page.html"
    with pytest.raises(VolumeError, match=r"no\.nii\.gz does not exist; check the path\.$"):
        write_report(Report(small_scan, tmp_path / "no.nii.gz"), page)
    far = np.diag([1.0, 1, 1, 1])
    far[:3, 3] = 900
    away = write_scan(tmp_path / "away.nii.gz", np.ones((9, 9, 9), np.int16), far)
    with pytest.raises(VolumeError, match="away.nii.gz does not lie over .*; name the scan that it was made of"):
        write_report(Report(small_scan, away), page)
    with pytest.raises(VolumeError, match="away.nii.gz does not lie over .*; name the map that was made with it"):
        write_report(Report(small_scan, small_result, {"residual": away}), page)
    assert not page.exists()
    page.write_text("mine")
    with pytest.raises(OutputError, match="exists; use --force"):
        write_report(Report(small_scan, small_result), page)
    assert page.read_text() == "mine"
