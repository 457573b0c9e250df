"""Chromium whose WebGPU computes in float16 in software, which its own SwiftShader cannot.

Debian's Chromium, file by file, but for SwiftShader: in its place stands Mesa's llvmpipe, which takes the numbers of
SwiftShader by named_swiftshader.c, since Chromium gives pages no other driver in software. WebGL is drawn by llvmpipe
by its own name.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from software_drivers import CHROMIUM, LLVMPIPE, driver_file

SOURCE = Path(__file__).with_name("named_swiftshader.c")
LIBRARY = "libvk_swiftshader.so"


def half_chromium(folder: Path) -> tuple[Path, dict[str, str]]:
    """Make it in an empty folder; the test is skipped where a part of it is missing.

    Returns:
        its program, and the variables of the environment that it needs.
    """
    described = driver_file(LLVMPIPE)
    driver = json.loads(described.read_text())["ICD"]["library_path"]
    if not (CHROMIUM / "chromium").is_file():
        pytest.skip("needs Debian's package chromium")
    compiler = shutil.which("gcc") or pytest.skip("needs gcc")
    for path in CHROMIUM.iterdir():
        # A program finds the files beside it by its own place, and a link to it has none.
        make = _linked if path.name == "chromium" else os.symlink
        if path.name != LIBRARY:
            make(path, folder / path.name)
    command = [compiler, "-shared", "-fPIC", "-O1", f'-DDRIVER="{driver}"', SOURCE, "-o", folder / LIBRARY, "-ldl"]
    subprocess.run(command, check=True)
    return folder / "chromium", {"VK_DRIVER_FILES": str(described)}


def _linked(path: Path, target: Path) -> None:
    """Give a file a second name, or copy it where that is on another disk."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)
