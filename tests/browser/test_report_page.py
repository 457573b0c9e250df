"""The pages of reports, from disk with the network off: they draw, and can be used by keys and screen readers."""

import base64
import io

import nibabel
import numpy as np
import pytest
from helpers import write_scan
from PIL import Image

from sr_keras.evaluation.protocol import compare_methods, score
from sr_keras.evaluation.tables import score_rows
from sr_keras.report.comparison import ComparisonPage
from sr_keras.report.writing import Report, write_report
from sr_keras.volumes.volume import Volume

pytestmark = pytest.mark.browser
VIEW = {"viewport": {"width": 1200, "height": 900}}


@pytest.fixture(scope="session")
def report(small_scan, small_result, tmp_path_factory):
    """A page with both maps: the uncertainty is largest at one corner of the result."""
    folder = tmp_path_factory.mktemp("pages")
    image = nibabel.load(small_result)
    half_widths = np.full(image.shape, 5, np.float32)
    half_widths[80:84, 60:64, 40:44] = 50
    maps = {
        "uncertainty": write_scan(folder / "u.nii.gz", half_widths, image.affine),
        "residual": write_scan(folder / "r.nii.gz", half_widths - 20, image.affine),
    }
    write_report(Report(small_scan, small_result, maps), folder / "page.html")
    return folder / "page.html"


@pytest.fixture
def page(open_page, report):
    """The page of the report, drawn."""
    return drawn(open_page(report, **VIEW))


def drawn(page):
    page.wait_for_selector("html[data-drawn]")
    return page


def picture(page, name):
    """Return what a canvas shows: (row, column, channel), uint8."""
    page.wait_for_timeout(300)
    image = Image.open(io.BytesIO(page.locator(f"#canvas-{name}").screenshot()))
    return np.asarray(image.convert("RGB")).astype(int)


def position(page):
    """Return the line below the viewer when it has stood still."""
    page.wait_for_timeout(300)
    return page.inner_text("#position")


def press(page, *keys):
    page.focus("#panes")
    for key in keys:
        page.keyboard.press(key)


def test_scan_and_result_are_drawn_without_a_request(page, report):
    assert all(each.startswith(("file:", "data:", "blob:")) for each in page.opened.requests)
    assert [each for each in page.opened.requests if each.startswith("file:")] == [report.as_uri()]
    for name in ("scan", "result"):
        grey = picture(page, name)
        assert grey.std() > 20
        assert grey.max() > 150
    assert page.evaluate("document.activeElement.id") == "panes"


def test_two_slices_differ_and_the_crosshair_is_told_in_mm(page):
    before, told = {name: picture(page, name) for name in ("scan", "result")}, position(page)
    assert " mm · scan " in told
    assert " · result " in told
    press(page, *["Shift+PageUp"])
    after = {name: picture(page, name) for name in ("scan", "result")}
    for name in before:
        assert np.abs(after[name] - before[name]).mean() > 1
    # Ten voxels of half a millimetre or 0.573 mm along the body.
    moved = float(position(page).split(", ")[2].split()[1]) - float(told.split(", ")[2].split()[1])
    assert abs(moved) == pytest.approx(5.7, abs=0.11)
    press(page, "c")
    assert position(page) == told


def test_the_value_below_the_crosshair_is_that_of_the_file(page, small_scan, small_result):
    words = position(page).replace("\u2212", "-").split(" · ")
    sides = [part.split() for part in words[0].removesuffix(" mm").split(", ")]
    point = [float(size) * (1 if side in "RAS" else -1) for side, size in sides]
    for word, path in zip(words[1:3], (small_scan, small_result), strict=True):
        image = nibabel.load(path)
        index = np.linalg.solve(image.affine, [*point, 1])[:3]
        low, high = np.floor(index - 0.2).astype(int), np.ceil(index + 0.2).astype(int)
        around = image.get_fdata()[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
        step = 1.25 * image.get_fdata().max() / 255
        assert around.min() - step <= float(word.split()[1]) <= around.max() + step


def test_a_place_is_one_click_away(page):
    buttons = page.locator(".places button")
    assert buttons.count() == 10
    buttons.first.click()
    assert "uncertainty" not in position(page)
    press(page, "u")
    page.locator("#position", has_text="uncertainty").wait_for()
    assert position(page).endswith("uncertainty ±50")
    press(page, "2")
    # 5 is nearest to 25 of the 255 steps to 50.
    assert position(page).endswith("uncertainty ±4.9")
    assert page.locator(".places button[aria-current]").inner_text().startswith("2.")


def test_overlays_are_switched_on_and_off(page):
    plain = picture(page, "result")
    assert np.abs(plain[..., 0] - plain[..., 2]).mean() < 5
    page.check("#show-residual")
    page.locator("#position", has_text="residual").wait_for()
    shown = picture(page, "result")
    # Blue is where the residual is below zero, nearly everywhere here.
    assert (shown[..., 2] - shown[..., 0])[plain.max(axis=-1) > 60].mean() > 20
    assert page.is_visible("#bar-residual")
    assert "scan minus the result downsampled" in page.inner_text("#bar-residual")
    page.uncheck("#show-residual")
    assert np.abs(picture(page, "result") - plain).mean() < 1
    assert page.is_hidden("#bar-residual")


def test_scan_and_result_flicker(page):
    press(page, "f")
    assert (page.is_visible("#canvas-scan"), page.is_visible("#canvas-result")) == (False, True)
    result = picture(page, "result")
    press(page, "f")
    assert (page.is_visible("#canvas-scan"), page.is_visible("#canvas-result")) == (True, False)
    scan = picture(page, "scan")
    assert scan.shape == result.shape
    # The same planes at the same place: voxels of the scan, repeated, are nearly the result here.
    assert np.abs(scan - result).mean() < 12
    assert page.get_attribute("#flicker", "aria-pressed") == "true"
    page.click("#side")
    assert page.is_visible("#canvas-scan")
    assert page.is_visible("#canvas-result")


def test_window_and_zoom_change_the_picture(page):
    before = picture(page, "result")
    assert page.is_hidden("#window")
    page.fill("#width", "60")
    page.keyboard.press("Enter")
    narrow = picture(page, "result")
    assert ((narrow < 5) | (narrow > 250)).mean() > ((before < 5) | (before > 250)).mean() + 0.05
    page.click("#in")
    assert np.abs(picture(page, "result") - narrow).mean() > 2


def test_ct_has_windows(open_page, tmp_path):
    rng = np.random.default_rng(0)
    voxels = np.full((40, 40, 20), -1000, np.int16)
    voxels[8:32, 8:32, 4:16] = rng.normal(60, 40, (24, 24, 12))
    scan = write_scan(tmp_path / "ct.nii.gz", voxels)
    write_report(Report(scan, scan), tmp_path / "page.html")
    page = drawn(open_page(tmp_path / "page.html", **VIEW))
    assert page.locator("#window option").all_inner_texts() == ["Soft tissue", "Brain", "Lung", "Bone", "All"]
    assert page.input_value("#level") == "40"
    assert position(page).endswith("\u00a0HU")
    soft = picture(page, "scan")
    press(page, "w", "w")
    assert (page.input_value("#level"), page.input_value("#width")) == ("-600", "1500")
    # Soft tissue is white in the window of the lung.
    assert picture(page, "scan").mean() > soft.mean() + 5


def test_screen_readers_get_names(page):
    for role, name in (
        ("region", "Scan and result"),
        ("application", "Three planes through the scan and its result"),
        ("img", "Scan, three planes"),
        ("button", "Side by side S"),
        ("button", "Zoom in"),
        ("checkbox", "Show voxels V"),
        ("checkbox", "Uncertainty U"),
        ("spinbutton", "Level"),
        ("table", "All in mm"),
        ("heading", "Where the uncertainty is largest"),
    ):
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name
    assert page.get_by_role("img", name="Power along").count() == 3
    controls = "[...document.querySelectorAll('button, input, select')]"
    unnamed = "(each) => !each.labels?.length && !each.innerText.trim()"
    assert page.evaluate(f"{controls}.filter({unnamed}).map((each) => each.id)") == []
    assert page.get_attribute("html", "lang") == "en"


def test_the_keyboard_reaches_everything(page):
    page.evaluate("document.activeElement.blur()")
    focused = "(document.activeElement.id || document.activeElement.className || document.activeElement.tagName)"
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focused))
    tools = {"side", "flicker", "in", "out", "level", "width", "nearest", "show-uncertainty", "show-residual"}
    assert {"skip", "panes", *tools} <= set(seen)
    assert seen.count("BUTTON") >= 10


@pytest.mark.parametrize(("scheme", "dark"), [("dark", True), ("light", False)])
def test_dark_and_light_follow_the_reader(open_page, report, scheme, dark):
    page = drawn(open_page(report, color_scheme=scheme, **VIEW))
    shade = "(name) => Number(getComputedStyle(document.body)[name].match(/\\d+/)[0])"
    paper, ink = (page.evaluate(shade, name) for name in ("backgroundColor", "color"))
    assert (paper < 60 and ink > 200) if dark else (paper > 200 and ink < 60)


def test_a_small_window_needs_no_scrolling_sideways(open_page, report):
    page = drawn(open_page(report, viewport={"width": 380, "height": 700}))
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_without_webgl_the_page_says_so_and_can_be_read(open_page, report):
    page = open_page(report, init="HTMLCanvasElement.prototype.getContext = () => null;", allowed=("",), **VIEW)
    page.wait_for_selector("#position.warning")
    assert "It needs WebGL 2; all else on this page can be read without it." in page.inner_text("#position")
    assert page.is_visible("#made")


@pytest.fixture(scope="session")
def comparison(tmp_path_factory):
    """The page of a comparison on a CT."""
    voxels = np.random.default_rng(0).integers(-1024, 300, (48, 48, 12)).astype(np.int16)
    compared = compare_methods(Volume(voxels, np.diag([0.8, 0.8, 2, 1]), source="ct.nii.gz"), "in-plane", 2, {})
    scores, page = score(compared), ComparisonPage("Scans were downsampled by 2.")
    page.add(compared, scores)
    path = tmp_path_factory.mktemp("pages") / "comparison.html"
    page.write(score_rows(compared, scores), path, [], force=False)
    return path


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_comparison_shows_its_tables_and_its_figure(open_page, comparison, scheme):
    page = open_page(comparison, color_scheme=scheme, **VIEW)
    figure = page.get_by_role("img")
    assert figure.evaluate("(image) => image.complete && image.naturalWidth") > 800
    assert figure.get_attribute("alt").startswith("ct.nii.gz, in-plane 2x2x1, axial slice k = ")
    assert page.get_by_role("table").count() == 2
    assert page.get_by_role("columnheader", name="lanczos").count() == 2
    content = figure.get_attribute("src").removeprefix("data:image/png;base64,")
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L")).std() > 20
