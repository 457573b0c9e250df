"""Measure the page of `sr-keras web` in Chromium: `python benchmarks/web_page.py benchmarks/results/web_page.json`.

Its size before and after compression, its runtime on the processor (WASM with threads) against the native one in the
same run, and a volume of 256x256x64 end to end. Needs the built page (`make web`), Playwright and Chromium.
"""

import gzip
import json
import os
import shutil
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
from playwright.sync_api import sync_playwright

from sr_keras import Upscaler, choose_stages, load_engine, read_volume, shipped_stages
from sr_keras.machine import describe_machine
from sr_keras.web import write_site

SAMPLE = Path(__file__).parents[1] / "samples" / "t1w_brain.nii.gz"
SHAPE, FACTORS, STAGE, SIDE = (256, 256, 64), (2, 2, 1), "fast_hw_x2", 256
ROUNDS, RUNS = 3, 20
PATIENCE = 1_800_000
# The viewer draws in software; the networks run on the processor.
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
# The bytes of a first visit: each machine fetches one of two runtimes.
GPU_RUNTIME = "asyncify"


def main() -> None:
    """Measure, print, and write what was measured."""
    with TemporaryDirectory() as folder:
        site = write_site(Path(folder) / "site").folder
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(site)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            program = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_selector("html[data-ready=yes]")
            found = {"machine": describe_machine(), "load_average": os.getloadavg()[0], "size": size_of(site)}
            found |= {"slice_256": ratio(page), "volume": volume(page, Path(folder))}
            found["browser"] = browser.version
            browser.close()
        server.shutdown()
    text = json.dumps(found, indent=1, default=str)
    sys.stdout.write(text + "\n")
    Path(sys.argv[1]).write_text(text + "\n")


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def size_of(site: Path) -> dict[str, int]:
    """Return bytes of all files, and of a first visit without and with a GPU, plain and compressed."""
    files = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    runtimes = {path: GPU_RUNTIME in path.name for path in files if path.parent.name == "ort"}
    chosen = {
        "all": files,
        "without_gpu": [path for path in files if not runtimes.get(path)],
        "with_gpu": [path for path in files if runtimes.get(path, True)],
    }
    return {
        f"{name}{suffix}": sum(measure(files[path]) for path in paths)
        for name, paths in chosen.items()
        for suffix, measure in (("", len), ("_gzip", lambda content: len(gzip.compress(content))))
    }


def ratio(page: Any) -> dict[str, Any]:
    """Return seconds a slice in the page and natively, measured in turn, and how many times as long the page takes."""
    engine, image = load_engine(STAGE, "onnx"), np.random.default_rng(0).random((1, SIDE, SIDE), np.float32)
    page.evaluate("document.getElementById('benchmark').open = true")
    page.select_option("#kind", "wasm")
    page.select_option("#size", str(SIDE))
    native, web = [], []
    for _ in range(ROUNDS):
        native.append(median(_seconds(lambda: engine.run(image)) for _ in range(RUNS)))
        page.click("#measure")
        page.wait_for_selector("#report:visible")
        with page.expect_download() as download:
            page.click("#report")
        report = json.loads(Path(download.value.path()).read_text())
        web.append(median(chain.from_iterable(report["measurements"][0]["samples_s"])))
    return {
        "stage": STAGE,
        "processor": report["machine"]["processor"],
        "native_s": native,
        "web_s": web,
        "ratio": median(web) / median(native),
    }


def volume(page: Any, folder: Path) -> dict[str, Any]:
    """Return seconds from choosing a file to the saved result in the page, and of the same natively."""
    scan, output = folder / "scan.nii.gz", folder / "result.nii.gz"
    _write_volume(scan)
    start = time.perf_counter()
    page.set_input_files("#file", scan)
    page.wait_for_selector("#plan:not(:empty)")
    page.wait_for_selector("#start:enabled")
    opened = time.perf_counter()
    plan = page.inner_text("#plan")
    page.click("#start")
    page.wait_for_selector("#status:not(:empty)")
    done = time.perf_counter()
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(output)
    saved = time.perf_counter()
    used = page.evaluate("performance.measureUserAgentSpecificMemory().then((found) => found.bytes)")
    native = _seconds(lambda: _upscale(scan))
    return {
        "shape": SHAPE,
        "factors": FACTORS,
        "open_s": opened - start,
        "compute_s": done - opened,
        "save_s": saved - done,
        "end_to_end_s": saved - start,
        "native_s": native,
        "said": plan,
        "page_memory_bytes_at_the_end": used,
    }


def _write_volume(path: Path) -> None:
    """Write the sample MRI, repeated to the shape."""
    image = nibabel.load(SAMPLE)
    voxels = np.asarray(image.dataobj)[:, :, : SHAPE[2]]
    missing = [(0, max(0, wanted - length)) for wanted, length in zip(SHAPE, voxels.shape, strict=True)]
    nibabel.save(nibabel.Nifti1Image(np.pad(voxels, missing, mode="wrap"), image.affine), path)


def _upscale(scan: Path) -> None:
    engines = [load_engine(name, "onnx") for name in choose_stages(shipped_stages())]
    Upscaler(engines).upscale(read_volume(scan), FACTORS)


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
