"""Pages from the command line: of a result, with a prediction, and of a comparison."""

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

from sr_keras.cli import main


def run(*arguments, expect=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result


def test_a_prediction_and_its_page(small_scan, tmp_path):
    out, page = tmp_path / "out.nii.gz", tmp_path / "page.html"
    run("predict", small_scan, "-o", out, "--scale", "2x2x1", "--residual", tmp_path / "r.nii.gz", "--report", page)
    text = page.read_text()
    assert "48x40x24 voxels of 1.14583x1.14583x1 mm, MR became 96x80x24 voxels of 0.572917x0.572917x1 mm, MR." in text
    assert "hw x2 on ij: noise" in text
    assert '"residual": {"header"' in text
    assert "may not be that of this scan" not in text
    # The page that is there is refused before anything is done.
    again = run("predict", small_scan, "-o", tmp_path / "b.nii.gz", "--report", page, expect=1)
    assert "page.html exists; use --force to overwrite." in again.stderr
    assert not (tmp_path / "b.nii.gz").exists()


def test_a_page_of_a_result_that_is_there(small_scan, small_result, tmp_path):
    page = tmp_path / "page.html"
    result = run("report", small_scan, small_result, "-o", page)
    assert result.stdout == f"{page}: {page.stat().st_size / 1e6:.1f} MB\n"
    assert "Warning: a short axis" in result.stderr
    assert "exists; use --force" in run("report", small_scan, small_result, "-o", page, expect=1).stderr
    run("report", small_scan, small_result, "-o", page, "--force", "--identify")
    assert f"<dd>{small_scan.name}</dd>" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing.nii.gz", "nothing.nii.gz", "-o", "a.html"), 1, "nothing.nii.gz does not exist; check the path."),
        (("nothing.nii.gz", "nothing.nii.gz", "-o", "a.txt"), 1, "a.txt is no page; name a file that ends in .html."),
        (("nothing.nii.gz", "nothing.nii.gz"), 2, "Missing option '-o'"),
    ],
)
def test_mistakes_are_one_line(arguments, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = run("report", *arguments, expect=code).stderr
    assert message in error
    assert "Traceback" not in error


def test_several_scans_have_no_page(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 9), np.int16), np.eye(4)), tmp_path / name)
    result = run("predict", tmp_path, "-o", tmp_path / "out", "--report", tmp_path / "page.html", expect=2)
    assert "--report goes with one SCAN; run sr-keras report for each of several." in result.stderr


def test_evaluate_writes_a_page(small_scan, tmp_path):
    model = ("--model", "georgescu2020_hw_x2")
    page = tmp_path / "page.html"
    run("evaluate", small_scan, "--task", "in-plane", *model, "--report", page)
    text = page.read_text()
    assert "Scans were downsampled by 2 by antialiased cubic interpolation." in text
    assert f"{small_scan.name}, in-plane 2x2x1, sagittal slice k = " in text
    again = run("evaluate", small_scan, "--report", page, expect=1)
    assert "page.html exists; use --force to overwrite." in again.stderr
