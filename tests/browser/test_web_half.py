"""The page in half precision, in a Chromium that computes in it: every stage, and a scan from file to result."""

import jsonschema
import nibabel
import numpy as np
import pytest
from half_chromium import half_chromium
from helpers import SAMPLE, small_slices
from web_page import WebPage

from sr_keras import upscale, write_volume
from sr_keras.benchmark.report import schema
from sr_keras.engines import KerasEngine
from sr_keras.export.verification import compare
from sr_keras.models.stages import shipped_stages
from sr_keras.web.writing import BUILT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (BUILT / "index.html").is_file(), reason="needs the built page: make web"),
]
STAGES = list(shipped_stages().items())
HALF = "webgpu-fp16"


@pytest.fixture(scope="module")
def web(launch, server, tmp_path_factory):
    browser = launch(*half_chromium(tmp_path_factory.mktemp("chromium")))
    visited = WebPage.visit(browser, server.address)
    if not visited.page.locator(f"#kind option[value={HALF}]").count():
        pytest.skip("WebGPU does not compute in float16 here: it needs llvmpipe of Mesa 25")
    yield visited
    visited.context.close()
    assert visited.errors == []


@pytest.mark.parametrize(("name", "stage"), STAGES, ids=[name for name, _ in STAGES])
def test_a_stage_in_half_precision_loses_little(web, name, stage):
    images, ground_truth = small_slices(stage)
    outputs = [web.run_stage(name, HALF, image) for image in images]
    output = np.stack(outputs).reshape(ground_truth.shape)
    found = compare([output], [KerasEngine(stage).run(images)], [ground_truth])
    assert found.psnr_loss <= 0.02
    # Above what float32 loses: it was computed in float16.
    assert 1e-5 < found.largest_error < 0.02


def test_a_scan_in_half_precision_is_nearly_that_of_predict(web, tmp_path):
    scan, reference = tmp_path / "scan.nii.gz", tmp_path / "reference.nii.gz"
    nibabel.save(nibabel.load(SAMPLE).slicer[60:88, 30:56, 40:56], scan)
    write_volume(upscale(scan, (2, 2, 1)), reference)
    web.open(scan)
    web.choose("2x2x1", "fast", HALF)
    web.start()
    assert web.finish().startswith("Done in ")
    found, expected = nibabel.load(web.save(tmp_path)), nibabel.load(reference)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)
    difference = np.abs(found.get_fdata() - expected.get_fdata())
    assert 0 < difference.max() < 0.005 * expected.get_fdata().max()


def test_a_benchmark_names_the_precision(web, tmp_path):
    web.choose("2x2x1", "fast", HALF)
    web.page.evaluate("document.getElementById('benchmark').open = true")
    web.page.select_option("#size", "64")
    web.page.click("#measure")
    web.page.wait_for_selector("#report:visible")
    report = web.report(tmp_path)
    jsonschema.validate(report, schema())
    assert report["software"]
    assert report["measurements"][0]["runtime"].startswith(f"onnxruntime-web {HALF} (")
