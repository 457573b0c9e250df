"""The device that WebGPU and ncnn prefer is found without loading a driver into this process."""

import sys
from pathlib import Path

import pytest

from sr_keras.engines.vulkan import Device, preferred_device

SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


@pytest.fixture
def with_driver(monkeypatch):
    def choose(path):
        monkeypatch.setenv("VK_DRIVER_FILES", str(path))
        monkeypatch.setenv("VK_ICD_FILENAMES", str(path))
        preferred_device.cache_clear()
        return preferred_device()

    yield choose
    preferred_device.cache_clear()


def test_without_a_driver_there_is_no_device(with_driver, tmp_path):
    assert with_driver(tmp_path / "none.json") is None


@pytest.mark.skipif(not SWIFTSHADER.is_file(), reason="chromium-common is not installed")
def test_a_driver_in_software_is_named_as_such(with_driver):
    device = with_driver(SWIFTSHADER)
    if device is None:
        pytest.skip("libvulkan1 is not installed")
    assert "SwiftShader" in device.name
    assert device.software
    assert str(device) == f"{device.name}, software"
    mapped = Path("/proc/self/maps").read_text() if sys.platform == "linux" else ""
    assert "swiftshader" not in mapped


def test_a_graphics_card_has_its_name_only():
    assert str(Device("AMD Radeon RX 7600", software=False)) == "AMD Radeon RX 7600"
