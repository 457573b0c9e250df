"""One exception for what every runtime says in its own way: a batch did not fit into memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from sr_keras.errors import DeviceMemoryError

# Classes of TensorFlow and PyTorch, which are not imported to be named.
CLASSES = {"ResourceExhaustedError", "OutOfMemoryError"}
# What onnxruntime, OpenVINO, LiteRT, CUDA and the C++ library write, in lower case.
PHRASES = (
    "failed to allocate",
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "cannot allocate memory",
    "cudaerrormemoryallocation",
    "resource_exhausted",
)


@contextmanager
def memory_errors(name: str) -> Iterator[None]:
    """Turn a runtime's error for a batch without memory into `DeviceMemoryError`; leave all others as they are.

    Args:
        name: of the engine.
    """
    try:
        yield
    except Exception as error:
        if not _is_shortage(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DeviceMemoryError(
            f"A batch for {name} must fit into its device's memory. Received: {reason[:300]}. "
            "End other programs that use the device, or use one with more memory."
        ) from error


def _is_shortage(error: Exception) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or any(kind.__name__ in CLASSES for kind in type(error).__mro__)
        or any(phrase in text for phrase in PHRASES)
    )
