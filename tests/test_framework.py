"""Libraries are loaded late, where there is memory for them, and what keeps them away is named."""

import os
import resource
import subprocess
import sys

import pytest

from sr_keras import framework
from sr_keras.errors import DeviceMemoryError, MissingDependencyError
from sr_keras.framework import LIBRARIES, SCIPY, TENSORFLOW, load_module
from sr_keras.resources import check_address_space, free_address_space

# Lets a process map so many bytes more than it has mapped.
LIMIT = """
import os, resource
from sr_keras import framework
from sr_keras.errors import DeviceMemoryError
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + {room}, resource.RLIM_INFINITY))
"""


def run(room, program, **environment):
    """Run a program with room in its address space and return what it prints."""
    clean = {name: value for name, value in os.environ.items() if name != framework.BLAS_THREADS}
    done = subprocess.run(
        [sys.executable, "-c", LIMIT.format(room=room) + program],
        capture_output=True,
        text=True,
        timeout=120,
        env=clean | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("threads", "kept"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_a_short_address_space_takes_one_thread_unless_told_otherwise(threads, kept):
    program = "framework.fit_address_space(); print(os.environ['OPENBLAS_NUM_THREADS'])"
    assert run(LIBRARIES + SCIPY, program, **threads) == kept


def test_a_wide_one_takes_as_many_as_there_are():
    assert run(64 << 30, "framework.fit_address_space(); print('OPENBLAS_NUM_THREADS' in os.environ)") == "False"


@pytest.mark.parametrize(
    ("room", "call", "name"),
    [
        (LIBRARIES - 10**7, "fit_address_space()", "sr-keras needs 400.0 MB"),
        (TENSORFLOW - 10**7, "load_keras()", "Keras needs 1.5 GB"),
        (SCIPY // 2, "load_scikit_image('skimage.metrics')", "scikit-image needs 1"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_loaded(room, call, name):
    program = f"""
try:
    framework.{call}
except DeviceMemoryError as error:
    print(error)
"""
    said = run(room, program)
    assert said.startswith(name), said
    assert "of address space, the limit leaves " in said
    assert said.endswith("raise it with ulimit -v.")


def test_without_a_limit_there_is_room_for_all():
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    assert free_address_space() == float("inf")
    check_address_space(1 << 60, "The sky")


def test_a_library_that_memory_kept_away_is_not_called_missing(monkeypatch):
    reason = "libsky.so: failed to map segment from shared object"

    def fail(_):
        raise ImportError(reason)

    monkeypatch.setattr(framework, "import_module", fail)
    with pytest.raises(DeviceMemoryError, match=rf"too little memory for sky \({reason}\); end other programs"):
        load_module("sky", "sky")
    reason = "no module sky"
    with pytest.raises(MissingDependencyError, match=r"sky cannot be imported \(no module sky\); install it: pip"):
        load_module("sky", "sky")
