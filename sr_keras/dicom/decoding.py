"""Decode compressed pixels in a process of their own, which may crash or hang without harm."""

import contextlib
import json
import subprocess
import sys
from threading import Timer
from types import TracebackType
from typing import IO, cast

import numpy as np

from sr_keras.dicom.decoder import receive, send
from sr_keras.errors import VolumeError
from sr_keras.volumes.volume import Array

# No file of a scan takes so long to decode; a decoder that does has lost its way, in seconds.
LONGEST_DECODING = 300.0


class Decoder:
    """Decodes files one after the other; starts its process when there is a first one, and ends it on leaving."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.kill()
        # What is left in the pipe of a killed process cannot be flushed.
        with contextlib.suppress(OSError):
            self._process.communicate()

    def decode(self, data: bytes, source: str) -> Array:
        """Return the pixels of a DICOM file as they are stored.

        Raises:
            VolumeError: they cannot be decoded; source is what messages call the scan.
        """
        process = self._started()
        watch = Timer(LONGEST_DECODING, process.kill)
        watch.start()
        try:
            send(cast(IO[bytes], process.stdin), data)
            answer = receive(cast(IO[bytes], process.stdout))
        except OSError:
            answer = None
        finally:
            watch.cancel()
        if not answer:
            reason = "data that cannot be decoded" if answer is not None else "data that the decoder died of"
            raise VolumeError(
                f"{source}: the pixel data must be an intact DICOM object. Received: {reason}. "
                "Copy it again from its source."
            )
        head, _, values = answer.partition(b"\n")
        about = json.loads(head)
        return np.frombuffer(values, about["dtype"]).reshape(about["shape"])

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sr_keras.dicom.decoder"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process
