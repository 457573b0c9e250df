"""Vulkan drivers in software, which WebGPU and ncnn take for GPUs."""

import os
from pathlib import Path

import pytest

# The ends of the names of their files: of Chromium, and of Mesa.
SWIFTSHADER, LLVMPIPE = "vk_swiftshader_icd.json", "lvp_icd*.json"
DATA = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
# What `make` fetches by fetch_debian.sh.
FETCHED = Path(__file__).parents[1] / ".debian"
CHROMIUM = Path("/usr/lib/chromium")
FOLDERS = (CHROMIUM, *(Path(folder, "vulkan", "icd.d") for folder in (FETCHED / "llvmpipe/usr/share", *DATA)))


def driver_file(pattern: str) -> Path:
    """Return the file that describes a driver to Vulkan; the test is skipped where there is none."""
    found = [path for folder in FOLDERS for path in folder.glob(pattern)]
    if not found:
        pytest.skip(f"no {pattern}: install chromium-common, or mesa-vulkan-drivers")
    return found[0]
