"""Lazy imports of frameworks: at first use, without their log output, with a clear error where one is missing."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sr_keras.errors import DeviceMemoryError, MissingDependencyError, SrKerasError
from sr_keras.resources import MORE_MEMORY, check_address_space, free_address_space, is_shortage

# Bytes of address space: of Python's and onnxruntime's libraries, numpy on one thread; of TensorFlow's; of scipy's; and
# of each further thread of OpenBLAS, which numpy and scipy bring each a copy of.
LIBRARIES, TENSORFLOW, SCIPY, BLAS_THREAD = 400_000_000, 1_500_000_000, 130_000_000, 50_000_000
BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def fit_address_space() -> None:
    """Take fewer threads under a short limit on address space (`ulimit -v`), and refuse one that is too short.

    OpenBLAS reserves memory for each core of the machine when it is loaded, whatever it is used for.

    Raises:
        DeviceMemoryError: the libraries do not fit.
    """
    if "numpy" in sys.modules:
        return
    check_address_space(LIBRARIES, "sr-keras")
    if free_address_space() < LIBRARIES + SCIPY + 2 * BLAS_THREAD * (os.cpu_count() or 1):
        os.environ.setdefault(BLAS_THREADS, "1")


def load_scikit_image(part: str) -> Any:
    """Import a part of scikit-image, and scipy with it.

    Args:
        part: the name of the module.

    Raises:
        MissingDependencyError: it is not installed.
        DeviceMemoryError: a limit leaves too little address space, for which scipy's OpenBLAS would wait for ever.
    """
    if "scipy.linalg" not in sys.modules:
        threads = os.environ.get(BLAS_THREADS, "")
        further = (int(threads) if threads.isdecimal() else os.cpu_count() or 1) - 1
        check_address_space(SCIPY + max(0, further) * BLAS_THREAD, "scikit-image")
        load_module("scipy.linalg", "sr_keras[evaluate]")
    return load_module(part, "sr_keras[evaluate]")


def load_keras() -> Any:
    """Import Keras and its configured backend, and return Keras.

    Raises:
        MissingDependencyError: one of them is not installed.
        DeviceMemoryError: there is too little memory for them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        check_address_space(TENSORFLOW, "Keras")
    try:
        with silent_libraries():
            import keras
    except ImportError as error:
        raise _unavailable("Keras or its backend", "install them: pip install 'sr_keras[train]'", error) from error
    return keras


def load_module(name: str, install: str) -> Any:
    """Import an optional dependency and return it.

    Args:
        name: of the module.
        install: the requirement that `pip install` needs for it.

    Raises:
        MissingDependencyError: the module, or one that it imports, is not installed.
        DeviceMemoryError: there is too little memory for it.
    """
    try:
        with silent_libraries():
            return import_module(name)
    except ImportError as error:
        raise _unavailable(name, f"install it: pip install '{install}'", error) from error


def require_tensorflow(task: str) -> None:
    """Check that Keras runs on TensorFlow: training reads data with tf.data, and exports convert TensorFlow's graphs.

    Args:
        task: that needs TensorFlow, as the subject of a sentence.

    Raises:
        MissingDependencyError: TensorFlow is not installed, or Keras is configured for another backend.
    """
    backend = load_keras().backend.backend()
    if backend != "tensorflow":
        raise MissingDependencyError(
            f"{task} needs Keras on TensorFlow, and KERAS_BACKEND is {backend}; set it to tensorflow."
        )


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Discard what compiled libraries write to stderr: TensorFlow logs before it reads its log level."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _unavailable(name: str, remedy: str, error: ImportError) -> SrKerasError:
    reason = str(error).partition("\n")[0] or f"no module {error.name}"
    if is_shortage(error):
        return DeviceMemoryError(f"There is too little memory for {name} ({reason}); {MORE_MEMORY}.")
    return MissingDependencyError(f"{name} cannot be imported ({reason}); {remedy}.")
