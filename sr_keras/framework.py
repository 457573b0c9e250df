"""Lazy imports of frameworks: at first use, without their log output, with a clear error where one is missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sr_keras.errors import MissingDependencyError


def load_keras() -> Any:
    """Import Keras and its configured backend, and return Keras.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with silent_libraries():
            import keras
    except ImportError as error:
        raise MissingDependencyError(
            f"Keras or its backend cannot be imported ({_reason(error)}); install them: pip install 'sr_keras[train]'."
        ) from error
    return keras


def load_module(name: str, install: str) -> Any:
    """Import an optional dependency and return it.

    Args:
        name: of the module.
        install: the requirement that `pip install` needs for it.

    Raises:
        MissingDependencyError: the module, or one that it imports, is not installed.
    """
    try:
        with silent_libraries():
            return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} cannot be imported ({_reason(error)}); install it: pip install '{install}'."
        ) from error


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


def _reason(error: ImportError) -> str:
    return str(error).partition("\n")[0] or f"no module {error.name}"
