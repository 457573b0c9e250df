"""The process that decodes compressed pixels: native decoders may crash on damaged data, and then only it dies.

Run as `python -m sr_keras.dicom.decoder`. Each message either way is its length, 8 bytes little-endian, and its bytes:
a DICOM file in; out an empty message where it cannot be decoded, else a JSON line with dtype and shape, and the values.
"""

import json
import os
import sys
from io import BytesIO
from typing import IO

import numpy as np

from sr_keras.dicom.parsing import parsed, quiet

LENGTH_BYTES = 8


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message."""
    stream.write(len(message).to_bytes(LENGTH_BYTES, "little"))
    stream.write(message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Return the next message; None at the end of the stream, in the midst of a message too."""
    head = stream.read(LENGTH_BYTES)
    length = int.from_bytes(head, "little")
    message = stream.read(length) if len(head) == LENGTH_BYTES else b""
    return message if len(head) == LENGTH_BYTES and len(message) == length else None


def main() -> None:
    """Answer messages until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    # Decoders print what they think of the data: not into the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    while (data := receive(sys.stdin.buffer)) is not None:
        send(answers, _answer(data))


def _answer(data: bytes) -> bytes:
    try:
        with quiet():
            pixels = np.ascontiguousarray(parsed(BytesIO(data), pixels=True).pixel_array)
    # A decoder may raise anything; the answer says only that it did.
    except Exception:
        return b""
    head = json.dumps({"dtype": pixels.dtype.str, "shape": pixels.shape})
    return head.encode() + b"\n" + pixels.tobytes()


if __name__ == "__main__":
    main()
