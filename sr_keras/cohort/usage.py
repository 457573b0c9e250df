"""The memory that a scan took at its peak."""

import sys
from contextlib import suppress
from pathlib import Path

import psutil

PROCESS = Path("/proc/self")
# What the kernel takes as the order to start its count of the peak anew (proc(5), clear_refs).
RESET_PEAK = "5"


def reset_peak() -> None:
    """Start counting anew; where the system cannot, the count goes on."""
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text(RESET_PEAK)


def peak_bytes() -> int:
    """Return the largest resident memory of this process since `reset_peak`, or since its start."""
    with suppress(OSError):
        for line in (PROCESS / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return _peak_of_the_process()


def _peak_of_the_process() -> int:
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
