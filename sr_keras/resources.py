"""Memory and disk: asked for before they are taken, and one exception for every runtime that runs out of them."""

import math
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sr_keras.errors import ConfigurationError, DeviceMemoryError, OutputError, VolumeError

UNITS = ("bytes", "kB", "MB", "GB", "TB")

# What helps where a library has too little memory.
MORE_MEMORY = "end other programs, or raise the limit on memory"

# Exceptions of TensorFlow and PyTorch by name, so that neither is imported.
CLASSES = {"ResourceExhaustedError", "OutOfMemoryError"}
# In messages of onnxruntime, OpenVINO, LiteRT, CUDA and the C++ library, in lower case.
PHRASES = (
    "can't start new thread",
    "pthread_create failed",
    "failed to map segment",
    "failed to allocate",
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "cannot allocate memory",
    "cudaerrormemoryallocation",
    "resource_exhausted",
)


def check_memory(needed: int, purpose: str) -> None:
    """Refuse work that does not fit into the memory that is free now.

    Args:
        needed: bytes.
        purpose: what needs them, as the subject of a sentence.

    Raises:
        VolumeError: fewer bytes are available.
    """
    # A library, for which there may be no room where room is asked for.
    import psutil

    available = psutil.virtual_memory().available
    if needed > available:
        raise VolumeError(
            f"{purpose} needs {format_bytes(needed)} of memory, {format_bytes(available)} are free; crop the scan or "
            "use a machine with more memory."
        )


def free_address_space() -> float:
    """Return the bytes that this process may still map, infinite without a limit (`ulimit -v`)."""
    # Other systems than Linux have no such file, or no such limit.
    with suppress(ImportError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        if limit != resource.RLIM_INFINITY:
            return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
    return math.inf


def check_address_space(needed: int, purpose: str) -> None:
    """Refuse to load libraries for which there is no room: some of them crash, or wait for it for ever.

    Args:
        needed: bytes of address space.
        purpose: what needs them, as the subject of a sentence.

    Raises:
        DeviceMemoryError: a limit leaves fewer.
    """
    room = free_address_space()
    if needed > room:
        raise DeviceMemoryError(
            f"{purpose} needs {format_bytes(needed)} of address space, the limit leaves {format_bytes(room)}; raise it "
            "with ulimit -v."
        )


def check_disk(needed: int, folder: Path) -> None:
    """Refuse work whose temporary files do not fit on a disk.

    Args:
        needed: bytes.
        folder: on the disk; it may still have to be made.

    Raises:
        OutputError: fewer bytes are free.
    """
    free = free_disk(folder)
    if needed > free:
        raise OutputError(
            f"{folder} has {format_bytes(free)} free, temporary files need {format_bytes(needed)}; free space, choose "
            "another place, or allow more with --memory."
        )


def free_disk(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder, which may still have to be made."""
    existing = next(each for each in (folder, *folder.resolve().parents) if each.exists())
    return shutil.disk_usage(existing).free


def check_room(path: Path, needed: int) -> None:
    """Refuse to write a file that may not fit, where the writer cannot be trusted with an error, or takes long.

    Args:
        path: of the file; its folder may still have to be made.
        needed: bytes that it takes at most.

    Raises:
        OutputError: fewer bytes are free on the disk, or files may not be as large.
    """
    room = free_disk(path.parent)
    # Windows has no such module, and no such limit.
    with suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        room = room if limit == resource.RLIM_INFINITY else min(room, limit)
    if needed > room:
        raise OutputError(
            f"{path} may take {format_bytes(needed)}, but there is room for {format_bytes(room)}. Free space, or raise "
            "the limit on files."
        )


def format_bytes(count: float) -> str:
    """Return a number of bytes as people write it, "1.5 GB"."""
    for unit in UNITS:
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"


def parse_bytes(text: str) -> int:
    """Return the bytes of "4G", "500M", "1.5 GB" (a gigabyte is 10^9 bytes) or "4GiB" (2^30 bytes).

    Raises:
        ConfigurationError: it is none of those, or nothing.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([KMGT])(I?B)?", text.strip(), re.IGNORECASE)
    base = 1024 if found and (found[3] or "").upper() == "IB" else 1000
    count = float(found[1]) * base ** (" KMGT".index(found[2].upper())) if found else 0.0
    if count < 1:
        raise ConfigurationError(f"{text} is no amount of memory; write it like 4G, 500M or 4GiB.")
    return int(count)


@contextmanager
def memory_errors(name: str) -> Iterator[None]:
    """Raise a runtime's out-of-memory errors as `DeviceMemoryError`; pass all others on.

    Args:
        name: of the engine, for the message.

    Raises:
        DeviceMemoryError: the batch does not fit into the device's memory.
    """
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DeviceMemoryError(
            f"{name} runs out of memory on its device: {reason[:300].rstrip('.')}; end other programs that use the "
            "device, or use one with more memory."
        ) from error


def is_shortage(error: Exception) -> bool:
    """Return whether memory ran out, as Python and the runtimes say it."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or any(kind.__name__ in CLASSES for kind in type(error).__mro__)
        or any(phrase in text for phrase in PHRASES)
    )
