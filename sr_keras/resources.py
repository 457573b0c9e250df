"""Out-of-memory errors of all runtimes as one exception."""

from collections.abc import Iterator
from contextlib import contextmanager

from sr_keras.errors import DeviceMemoryError

# Exceptions of TensorFlow and PyTorch by name, so that neither is imported.
CLASSES = {"ResourceExhaustedError", "OutOfMemoryError"}
# In messages of onnxruntime, OpenVINO, LiteRT, CUDA and the C++ library, in lower case.
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
    """Raise a runtime's out-of-memory errors as `DeviceMemoryError`; pass all others on.

    Args:
        name: of the engine, for the message.

    Raises:
        DeviceMemoryError: the batch does not fit into the device's memory.
    """
    try:
        yield
    except Exception as error:
        if not _is_shortage(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DeviceMemoryError(
            f"{name} runs out of memory on its device: {reason[:300].rstrip('.')}; end other programs that use the "
            "device, or use one with more memory."
        ) from error


def _is_shortage(error: Exception) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or any(kind.__name__ in CLASSES for kind in type(error).__mro__)
        or any(phrase in text for phrase in PHRASES)
    )
