"""The page of `sr-keras web`, built by `make web`, in Chromium: equal to `sr-keras predict`, and it sends nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import nibabel
import numpy as np
import pytest
from dicom.synthetic import classic, save
from helpers import SAMPLE, small_slices, write_scan
from web_page import WebPage

import sr_keras
from sr_keras.benchmark.report import print_report, read_report, schema
from sr_keras.engines import KerasEngine, load_engine
from sr_keras.inference.jobs import PredictionJob
from sr_keras.models.stages import shipped_stages
from sr_keras.web.writing import BUILT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (BUILT / "index.html").is_file(), reason="needs the built page: make web"),
]
STAGES = list(shipped_stages().items())
TESTS = Path(__file__).parents[1]
REAL_CT = TESTS.parents[1] / "shared/data/val/ct/chest_cta_1p5mm_d.nii.gz"
AXE = TESTS.parent / "web/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def web(browser, server) -> Iterator[WebPage]:
    visited = WebPage.visit(browser, server.address)
    yield visited
    visited.context.close()
    assert visited.errors == []
    # Blobs are made by the page itself: what is saved.
    assert {urlsplit(url.removeprefix("blob:")).netloc for url in visited.requests} == {urlsplit(server.address).netloc}


def brain(path: Path) -> Path:
    """A crop of a real MRI, int16, with an oblique sform alone."""
    nibabel.save(nibabel.load(SAMPLE).slicer[60:88, 30:56, 40:64], path)
    return path


def scaled_brain(path: Path) -> Path:
    """The same, big-endian, with slope and intercept, and an oblique, left-handed qform of another code."""
    image = nibabel.load(SAMPLE).slicer[60:88, 30:56, 40:64]
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">u2")
    affine = image.affine @ np.diag([-1, 1, 1, 1])
    written = nibabel.Nifti1Image(np.asarray(image.dataobj)[::-1] * 0.25 - 3.0, affine, header)
    written.set_qform(affine, 1)
    written.set_sform(None, 0)
    nibabel.save(written, path)
    return path


def uncoded_brain(path: Path) -> Path:
    """The same without qform and sform, as float32."""
    image = nibabel.load(SAMPLE).slicer[60:88, 30:56, 40:64]
    written = nibabel.Nifti1Image(np.asarray(image.dataobj, np.float32), None)
    written.header.set_zooms(image.header.get_zooms())
    nibabel.save(written, path)
    return path


def padded_ct(path: Path) -> Path:
    """A body of two tissues and bone in air, noisy, with the padding of -3024 that fills a scanner's corners."""
    i, j, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in (36, 34, 14)), indexing="ij")
    body = np.where(i**2 + j**2 < 0.6, np.where(i > 0, 40.0, -90.0), -1000.0)
    body[(i + 0.3) ** 2 + j**2 < 0.02] = 900
    noisy = body + np.random.default_rng(3).normal(0, 12, body.shape)
    return write_scan(path, np.where(i**2 + j**2 > 1.2, -3024, noisy).round().astype(np.int16))


def real_ct(path: Path) -> Path:
    if not REAL_CT.is_file():
        pytest.skip("needs the CT of ../shared")
    nibabel.save(nibabel.load(REAL_CT).slicer[90:130, 60:94, 80:96], path)
    return path


def assert_equal_to_predict(saved: Path, scan: Path, scale: str, quality: str) -> None:
    """Compare with `sr-keras predict`: the box to 1e-4 mm, the voxels to one stored step, and two everywhere."""
    expected, found = saved.with_name("expected.nii.gz"), nibabel.load(saved)
    factors = tuple(map(int, scale.split("x")))
    upscaler = sr_keras.Upscaler([load_engine(n) for n in sr_keras.choose_stages(shipped_stages(), quality)])
    PredictionJob(upscaler, factors, force=True).run(scan, expected)
    reference = nibabel.load(expected)
    assert found.shape == reference.shape
    assert found.get_data_dtype().newbyteorder("=") == reference.get_data_dtype().newbyteorder("=")
    corners = [[*corner, 1] for corner in np.ndindex(2, 2, 2)] * np.array([*found.shape, 1]) - [0.5, 0.5, 0.5, 0]
    np.testing.assert_allclose(corners @ found.affine.T, corners @ reference.affine.T, rtol=0, atol=1e-4)
    for name in ("qform_code", "sform_code", "xyzt_units"):
        assert found.header[name] == reference.header[name]
    stored, wanted = (np.asarray(image.dataobj.get_unscaled(), np.float64) for image in (found, reference))
    step = 1.0 if found.get_data_dtype().kind in "iu" else 1e-5 * np.ptp(wanted)
    difference = np.abs(stored - wanted) / step
    assert difference.max() <= 2
    assert (difference <= 1).mean() >= 0.999


SCANS = {
    "brain": (brain, "2x2x2", "fast"),
    "scaled brain": (scaled_brain, "1x2x1", "georgescu2020"),
    "uncoded brain": (uncoded_brain, "4x2x1", "fast"),
    "padded CT": (padded_ct, "2x2x1", "best"),
    "real CT": (real_ct, "2x2x1", "fast"),
}


@pytest.mark.parametrize("name", SCANS)
def test_a_saved_result_equals_predict(web, tmp_path, name):
    make, scale, quality = SCANS[name]
    scan = make(tmp_path / "scan.nii.gz")
    assert web.open(scan).startswith("Gives ")
    web.choose(scale, quality)
    web.start()
    assert web.finish().startswith("Done in ")
    saved = web.save(tmp_path)
    assert saved.name == "scan_super_resolved.nii.gz"
    assert_equal_to_predict(saved, scan, scale, quality)


def test_an_uncompressed_file_is_read_too(web, tmp_path):
    assert "56x52x24 voxels of 0.5729x0.5729x1 mm, MRI" in _planned(web, brain(tmp_path / "scan.nii"), "2x2x1")


def _planned(web: WebPage, scan: Path, scale: str) -> str:
    web.open(scan)
    web.choose(scale, "fast")
    web.page.wait_for_selector("#start:enabled")
    return web.page.inner_text("#plan")


SERIES = {
    "real MRI": lambda folder: shutil.copytree(TESTS / "data/dicom/hitachi_implicit", folder / "series"),
    "scaled MRI": lambda folder: shutil.copytree(TESTS / "data/dicom/non_isotropic", folder / "series"),
    "CT": lambda folder: save(classic("CT"), folder / "series"),
}


@pytest.mark.parametrize("name", SERIES)
def test_a_dicom_folder_gives_what_predict_gives(web, tmp_path, name):
    scan = SERIES[name](tmp_path)
    (scan / "notes.txt").write_text("no DICOM")
    assert web.open(scan).startswith("Gives ")
    web.choose("2x2x1", "fast")
    web.start()
    assert web.finish().startswith("Done in ")
    assert_equal_to_predict(web.save(tmp_path), scan, "2x2x1", "fast")


def test_scans_unlike_those_of_training_are_warned_of_as_predict_does(web, tmp_path):
    noise = np.random.default_rng(5).integers(0, 1000, (36, 34, 16), np.int16)
    scan = write_scan(tmp_path / "noise.nii.gz", noise)
    for quality in ("fast", "best"):
        web.open(scan)
        web.choose("2x2x1", quality)
        web.start()
        web.finish()
        assert_equal_to_predict(web.save(tmp_path), scan, "2x2x1", quality)
        upscaler = sr_keras.Upscaler([load_engine(n) for n in sr_keras.choose_stages(shipped_stages(), quality)])
        expected = upscaler.prepare(sr_keras.read_volume(scan), (2, 2, 1)).warnings
        assert [_numbers(each) for each in web.warnings()] == [_numbers(each) for each in expected] != []


def _numbers(text: str) -> list[str]:
    """What a warning says in figures and names; the page words it without "Warning:"."""
    return [word for word in text.replace("(", " ").split() if any(letter.isdigit() for letter in word)]


def test_cancel_leaves_the_page_usable(web, tmp_path):
    scan = brain(tmp_path / "scan.nii.gz")
    web.open(scan)
    web.choose("4x4x4", "best")
    web.start()
    web.page.wait_for_selector("#progress-area:visible")
    web.page.click("#cancel")
    assert web.finish() == "Cancelled."
    assert web.page.is_hidden("#save")
    web.choose("2x2x1", "fast")
    web.start()
    assert web.finish().startswith("Done in ")
    assert_equal_to_predict(web.save(tmp_path), scan, "2x2x1", "fast")


def _cut(path: Path) -> Path:
    path.write_bytes(brain(path).read_bytes()[:3000])
    return path


def _flipped(path: Path) -> Path:
    content = bytearray(brain(path).read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def _text(path: Path) -> Path:
    path.write_text("This is no scan. " * 50)
    return path


def _series_of_volumes(path: Path) -> Path:
    return write_scan(path, np.zeros((9, 9, 9, 4), np.int16))


def _not_a_number(path: Path) -> Path:
    return write_scan(path, np.full((9, 9, 9), np.nan, np.float32))


def _labels(path: Path) -> Path:
    return write_scan(path, np.repeat(np.arange(4, dtype=np.uint8), 4000).reshape(40, 20, 20).copy())


def _short(path: Path) -> Path:
    return write_scan(path, np.arange(4**3, dtype=np.int16).reshape(4, 4, 4))


def _compressed_dicom(_path: Path) -> Path:
    return TESTS / "data/dicom/compressed_jpeg"


BROKEN = {
    _cut: "cannot be read: its compressed data is damaged, truncated or in several parts. Copy it again",
    _flipped: "cannot be read: its compressed data is damaged, truncated or in several parts. Copy it again",
    _text: "is no NIfTI file, or it is damaged; copy it again from its source.",
    _series_of_volumes: "holds 4 volumes; choose one with sr-keras predict --volume.",
    _not_a_number: "729 voxels are NaN, infinite or beyond 1e36; repair the scan first.",
    _labels: "looks like a label map (4 values, in regions); choose a scan.",
    _short: "4x4x4 voxels are too few for hw x2 on ij, which needs 6 along each axis of its slices",
    _compressed_dicom: "has compressed pixels; use sr-keras predict for it.",
}


@pytest.mark.parametrize("make", BROKEN)
def test_a_broken_scan_gives_one_sentence(web, tmp_path, make):
    web.choose("2x2x1", "fast")
    problem = web.open(make(tmp_path / "scan.nii.gz"))
    assert BROKEN[make] in problem
    assert len(problem) < 200
    assert "\n" not in problem
    assert web.page.is_disabled("#start")


def test_a_scan_too_large_is_told_with_the_command_to_use(web, tmp_path):
    voxels = np.broadcast_to(np.arange(400, dtype=np.int16)[:, None, None], (400, 400, 120))
    web.choose("4x4x4", "fast")
    said = web.open(write_scan(tmp_path / "large.nii.gz", voxels))
    web.page.wait_for_selector("#problem:not(:empty)")
    assert "GB of memory at most" in said
    command = "sr-keras predict large.nii.gz -o large_super_resolved.nii.gz --scale 4x4x4 --quality fast"
    assert web.page.inner_text("#problem").endswith(f"use instead: {command}")
    assert web.page.is_disabled("#start")
    web.choose("1x1x2", "fast")
    web.page.wait_for_selector("#start:enabled")
    assert web.page.inner_text("#problem") == ""


def test_of_two_things_that_are_dropped_the_last_one_counts(web, tmp_path):
    first, second = tmp_path / "first", brain(tmp_path / "second.nii.gz")
    first.mkdir()
    for number in range(2000):
        (first / f"{number}.txt").write_text("no DICOM")
    web.choose("2x2x1", "fast")
    web.drop(first)
    web.page.locator("#scan", has_text="Reading first").wait_for()
    web.drop(second)
    web.page.wait_for_selector("#start:enabled")
    # Longer than the folder takes to be read.
    web.page.wait_for_timeout(3000)
    assert web.page.inner_text("#scan").startswith("second.nii.gz: 28x26x24 voxels")
    assert web.page.inner_text("#problem") == ""
    web.start()
    assert web.finish().startswith("Done in ")
    assert_equal_to_predict(web.save(tmp_path), second, "2x2x1", "fast")


def test_what_cannot_be_dropped_leaves_nothing_of_the_scan_before(web, tmp_path):
    web.open(brain(tmp_path / "scan.nii.gz"))
    (tmp_path / "empty").mkdir()
    web.drop(tmp_path / "empty")
    web.page.wait_for_selector("#problem:not(:empty)")
    assert web.page.inner_text("#problem").startswith("empty holds no DICOM image; choose ")
    assert web.page.inner_text("#plan") == ""
    assert web.page.is_disabled("#start")


def test_a_file_too_large_to_read_is_told_with_the_command_to_use(web, tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((2048, 2048, 1200))
    path = tmp_path / "a large.nii"
    with path.open("wb") as file:
        header.write_to(file)
        file.truncate(352 + 2 * 2048 * 2048 * 1200)
    web.choose("2x2x1", "fast")
    said = web.open(path)
    assert said.startswith("a large.nii takes 20.1 GB of memory, more than the ")
    assert said.endswith('predict "a large.nii" -o "a large_super_resolved.nii.gz" --scale 2x2x1 --quality fast')


def test_it_works_without_a_network_after_the_first_visit(web, tmp_path):
    scan = brain(tmp_path / "scan.nii.gz")
    web.context.set_offline(True)
    try:
        web.page.reload()
        web.wait_until_ready()
        assert web.page.evaluate("crossOriginIsolated")
        web.open(scan)
        web.choose("1x1x2", "georgescu2020")
        web.start()
        assert web.finish().startswith("Done in ")
        assert_equal_to_predict(web.save(tmp_path), scan, "1x1x2", "georgescu2020")
    finally:
        web.context.set_offline(False)


def test_the_page_may_speak_to_no_other_origin(web):
    blocked = web.page.evaluate("fetch('https://example.org/').then(() => 'sent', (error) => error.message)")
    web.errors[:] = [each for each in web.errors if "example.org" not in each]
    assert blocked == "Failed to fetch"
    worker = web.page.evaluate("fetch('worker.js').then((r) => r.headers.get('Content-Security-Policy'))")
    assert "connect-src 'self'" in worker
    assert "default-src 'none'" in worker


@pytest.mark.parametrize(("name", "stage"), STAGES, ids=[name for name, _ in STAGES])
def test_every_stage_on_webgpu_equals_keras(web, name, stage):
    images, _ = small_slices(stage)
    expected = KerasEngine(stage).run(images[:1])[0]
    found = web.run_stage(name, "webgpu", images[0]).reshape(expected.shape)
    assert np.abs(found - expected).max() < 1e-5


def test_half_precision_is_offered_only_where_the_gpu_has_it(web):
    kinds = web.page.locator("#kind option").evaluate_all("(options) => options.map((each) => each.value)")
    # SwiftShader computes in float32 alone.
    assert kinds == ["webgpu", "wasm"]


@pytest.mark.parametrize(("kind", "scenario"), [("wasm", "volume"), ("webgpu", "single-stream")])
def test_a_benchmark_is_a_report_of_sr_keras_benchmark(web, tmp_path, capsys, kind, scenario):
    web.choose("2x2x1", "fast", kind)
    web.page.evaluate("document.getElementById('benchmark').open = true")
    web.page.select_option("#scenario", scenario)
    web.page.select_option("#size", "64")
    web.page.click("#measure")
    web.page.wait_for_selector("#report:visible")
    report = web.report(tmp_path)
    jsonschema.validate(report, schema())
    assert report["settings"]["scenario"] == scenario
    assert ("software" in report["machine"]["processor"]) == (kind == "webgpu")
    figures = web.page.inner_text("#figures")
    assert report["machine"]["processor"] in figures
    assert "ms a slice" in figures
    print_report(read_report(tmp_path / "benchmark.json"))
    assert "software" in capsys.readouterr().out or kind == "wasm"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(web, scheme):
    web.page.emulate_media(color_scheme=scheme)
    web.page.evaluate(AXE.read_text())
    found = web.page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))")
    assert found == []
