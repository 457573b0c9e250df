"""The Vulkan devices of this machine: what WebGPU runs on under Linux, which onnxruntime does not name.

They are listed in a process of its own, `python -m sr_keras.engines.vulkan`: drivers of Mesa bring LLVM, and a process
that loads them after TensorFlow, which has another LLVM in it, crashes when it ends.
"""

import ctypes
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

LIBRARY = "libvulkan.so.1"
INSTANCE_CREATE_INFO = 1
# Kinds of devices by their numbers, the one that WebGPU prefers first.
PREFERENCE = (2, 1, 3, 0, 4)
SOFTWARE = 4
# Numbers before the name in the properties of a device; their fourth is its vendor, the fifth its kind.
HEAD, KIND, NAME_LENGTH = 5, 4, 256
# The properties end with limits that nobody reads here; the structure has 824 bytes.
PROPERTIES_BYTES = 1024


@dataclass(frozen=True)
class Device:
    """One Vulkan device.

    Attributes:
        name: that its driver gives it.
        software: whether it is a program on the processor.
    """

    name: str
    software: bool

    def __str__(self) -> str:
        return f"{self.name}, software" if self.software else self.name


class _CreateInfo(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("layer_count", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    )


@cache
def preferred_device() -> Device | None:
    """Return the device that WebGPU prefers: a graphics card, else a processor's graphics; None if there is none."""
    command = [sys.executable, "-m", __spec__.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = json.loads(done.stdout or "[]")
    kind, name = min(found, key=lambda each: PREFERENCE.index(each[0]), default=(0, ""))
    return Device(name, kind == SOFTWARE) if name else None


def _devices(vulkan: Any) -> list[tuple[int, str]]:
    """Return kind and name of each device."""
    instance, count = ctypes.c_void_p(), ctypes.c_uint32()
    if vulkan.vkCreateInstance(ctypes.byref(_CreateInfo(INSTANCE_CREATE_INFO)), None, ctypes.byref(instance)):
        return []
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    handles = (ctypes.c_void_p * count.value)()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
    found = [_described(vulkan, handle) for handle in handles[: count.value]]
    vulkan.vkDestroyInstance(instance, None)
    return found


def _described(vulkan: Any, handle: int | None) -> tuple[int, str]:
    properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
    vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), properties)
    numbers = (ctypes.c_uint32 * HEAD).from_buffer(properties)
    name = properties.raw[4 * HEAD : 4 * HEAD + NAME_LENGTH].split(b"\0")[0]
    return int(numbers[KIND]), name.decode(errors="replace")


if __name__ == "__main__":
    with suppress(OSError):
        sys.stdout.write(json.dumps(_devices(ctypes.CDLL(LIBRARY))))
