"""Where frameworks are imported: late, quietly, and with a clear word where one is missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sr_keras.errors import MissingDependencyError

INSTALL = "Install them: pip install 'sr_keras[train]'."


def load_keras() -> Any:
    """Import Keras and the backend that it is set to, and return it.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with silent_libraries():
            import keras
    except ImportError as error:
        raise MissingDependencyError(f"This needs Keras and its backend. Missing: {error.name}. {INSTALL}") from error
    return keras


def load_module(name: str, install: str) -> Any:
    """Import an optional dependency and return it.

    Args:
        name: of the module.
        install: what `pip install` gets.

    Raises:
        MissingDependencyError: it, or something that it needs, is not installed.
    """
    try:
        with silent_libraries():
            return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"This needs the module {name}. Missing: {error.name or error}. Install it: pip install '{install}'."
        ) from error


def require_tensorflow(task: str) -> None:
    """Check that Keras runs on TensorFlow, whose tf.data feeds the training and whose graphs all exports are made from.

    Args:
        task: what needs it, as the subject of a sentence.

    Raises:
        MissingDependencyError: it is not installed, or Keras is set to another backend.
    """
    backend = load_keras().backend.backend()
    if backend != "tensorflow":
        raise MissingDependencyError(
            f"{task} needs Keras on TensorFlow. Received: KERAS_BACKEND={backend}. Unset it, or set it to tensorflow."
        )


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Drop what compiled libraries write to stderr as they load: TensorFlow logs before its log level is read."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
