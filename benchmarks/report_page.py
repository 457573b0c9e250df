"""Measure the page of a report: how large it is, how long it takes to write, and to draw in a browser.

    python benchmarks/report_page.py SCAN RESULT OUTPUT.json [--shape 512x512x300] [--picture FILE.png]

With --shape scan and result are first mirrored at their edges until the scan has that many voxels, which makes a large
scan of a small real one. The browser is headless Chromium, which draws in software here: a graphics card is faster. The
time to the first picture runs from the opening of the file to three planes of both volumes on the screen.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np
from playwright.sync_api import sync_playwright

from sr_keras.machine import describe_machine

FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE = 1_200_000


def mirrored(source: Path, target: Path, shape: tuple[int, ...]) -> Path:
    """Write an image that goes on beyond its far edges as in a mirror, or ends before them."""
    image = nibabel.load(source)
    voxels = np.asanyarray(image.dataobj)[tuple(slice(length) for length in shape)]
    missing = [(0, length - known) for length, known in zip(shape, voxels.shape, strict=True)]
    whole = np.pad(voxels, missing, mode="symmetric").astype(image.get_data_dtype())
    nibabel.save(nibabel.Nifti1Image(whole, image.affine), target)
    return target


def enlarged(scan: Path, result: Path, shape: tuple[int, ...], folder: Path) -> tuple[Path, Path]:
    """Return a scan of a shape and its result, made of smaller ones."""
    factors = np.array(nibabel.load(result).shape) // nibabel.load(scan).shape
    of_result = tuple(int(length) for length in factors * shape)
    return mirrored(scan, folder / "scan.nii", shape), mirrored(result, folder / "result.nii", of_result)


def written(scan: Path, result: Path, page: Path) -> dict[str, float]:
    """Write the page in a process of its own; return its seconds, and the most memory that it took in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sr_keras", "report", scan, result, "-o", page, "--force"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("failed: report")
    return {
        "page_mb": page.stat().st_size / 1e6,
        "write_s": time.perf_counter() - start,
        "write_processor_s": usage.ru_utime + usage.ru_stime,
        "write_memory_mb": usage.ru_maxrss / 1e3,
    }


def drawn(page: Path, picture: Path | None) -> dict[str, float]:
    """Open the page from disk without a network; return the milliseconds to the first picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        opened = browser.new_context(offline=True, viewport={"width": 1400, "height": 1000}).new_page()
        opened.set_default_timeout(PATIENCE)
        opened.goto(page.resolve().as_uri())
        opened.wait_for_selector("html[data-drawn]")
        milliseconds = float(opened.evaluate("document.documentElement.dataset.drawn"))
        if picture:
            opened.screenshot(path=picture)
        browser.close()
    return {"first_picture_s": milliseconds / 1000}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shape")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        folder, scan, result = Path(name), arguments.scan, arguments.result
        if arguments.shape:
            shape = tuple(int(length) for length in arguments.shape.split("x"))
            scan, result = enlarged(scan, result, shape, folder)
        row = {
            "scan": arguments.scan.name,
            "scan_shape": list(nibabel.load(scan).shape),
            "result_shape": list(nibabel.load(result).shape),
            **written(scan, result, folder / "report.html"),
            **drawn(folder / "report.html", arguments.picture),
        }
    row = {key: round(value, 1) if isinstance(value, float) else value for key, value in row.items()}
    load = round(os.getloadavg()[0], 1)
    arguments.output.write_text(json.dumps({"machine": describe_machine(), "load": load, **row}, indent=2) + "\n")
    print(json.dumps(row))  # noqa: T201


if __name__ == "__main__":
    main()
