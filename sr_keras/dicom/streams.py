"""Streams that hand out no more than is asked of them: a small file may claim, or inflate to, gigabytes."""

import zlib
from io import BytesIO
from typing import IO, Protocol

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from sr_keras.errors import VolumeError
from sr_keras.resources import format_bytes

# A header of more bytes than this describes no scan: ten thousand frames take 40 MB.
LARGEST_HEADER = 256 << 20
# Bytes that are taken from a file together.
PIECE = 1 << 16
# The file meta information follows preamble and magic word; it takes a few hundred bytes.
META_START, LARGEST_META = 132, 1 << 16
META_GROUP, SYNTAX_ELEMENT = b"\x02\x00", b"\x10\x00"
# Types whose length has four bytes, after two of nothing.
LONG_TYPES = (b"OB", b"OW", b"SQ", b"UN", b"UT")


class Stream(Protocol):
    """What bytes are taken from."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes, `count` at most; none at the end."""


class Beginning:
    """The beginning of a stream as a file that can be sought in: it takes what is asked of it, and keeps that."""

    def __init__(self, stream: IO[bytes], most: int = LARGEST_HEADER) -> None:
        self._stream, self.deflated = plain(stream)
        self._most, self._kept, self._length = most, BytesIO(), 0

    def read(self, count: int) -> bytes:
        """Return bytes from the current place on.

        Raises:
            VolumeError: it was asked for more than any header has.
        """
        place = self._kept.tell()
        if place + count <= self._length:
            return self._kept.read(count)
        if not self._reaches(place + count) and self._length > self._most:
            raise VolumeError(
                f"A header must be smaller than {format_bytes(self._most)}. Received: a larger one. Export it again."
            )
        self._kept.seek(place)
        return self._kept.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, from the beginning or from the current one."""
        return self._kept.seek(offset, whence)

    def tell(self) -> int:
        """Return the current place."""
        return self._kept.tell()

    def _reaches(self, end: int) -> bool:
        """Take bytes up to a place, and say whether there are as many."""
        self._kept.seek(self._length)
        while self._length < end and self._length <= self._most:
            piece = self._stream.read(max(PIECE, min(end - self._length, 16 * PIECE)))
            if not piece:
                break
            self._length += self._kept.write(piece)
        return self._length >= end


class Whole:
    """A file that hands out no more than it has: Python sets aside what is asked for, a damaged length gigabytes."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size

    def read(self, count: int) -> bytes:
        """Return the next bytes, `count` at most."""
        return self._file.read(min(count, max(self._size - self._file.tell(), 0)))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, from the beginning or from the current one."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the current place."""
        return self._file.tell()


class _Inflating:
    """A deflated DICOM object as the plain one that was deflated."""

    def __init__(self, head: bytes, meta_end: int, stream: Stream) -> None:
        # As long as before: what is left of the name is padded.
        plain = ExplicitVRLittleEndian.encode().ljust(len(DeflatedExplicitVRLittleEndian), b"\0")
        self._ready = head[:meta_end].replace(DeflatedExplicitVRLittleEndian.encode(), plain)
        self._packed, self._stream, self._inflater = head[meta_end:], stream, zlib.decompressobj(-zlib.MAX_WBITS)

    def read(self, count: int) -> bytes:
        pieces, missing = [self._ready[:count]], count - len(self._ready)
        self._ready = self._ready[count:]
        while missing > 0 and not self._inflater.eof:
            packed = self._packed or self._stream.read(PIECE)
            if not packed:
                break
            pieces.append(self._inflater.decompress(packed, missing))
            self._packed = self._inflater.unconsumed_tail
            missing -= len(pieces[-1])
        return b"".join(pieces)


class _Joined:
    """A stream whose first bytes were taken already."""

    def __init__(self, head: bytes, stream: Stream) -> None:
        self._head, self._stream = head, stream

    def read(self, count: int) -> bytes:
        taken, self._head = self._head[:count], self._head[count:]
        return taken or self._stream.read(count)


def plain(stream: Stream) -> tuple[Stream, bool]:
    """Return a stream of the bytes of a DICOM file, of a deflated one those of the plain object, and whether it is one.

    Args:
        stream: at its beginning, the file as it is stored.
    """
    head = stream.read(LARGEST_META)
    syntax, end = _meta(head)
    if syntax == DeflatedExplicitVRLittleEndian:
        return _Inflating(head, end, stream), True
    return _Joined(head, stream), False


def _meta(head: bytes) -> tuple[str, int]:
    """Return the transfer syntax that a file's first bytes state, and where its file meta information ends."""
    place, syntax = META_START, ""
    while head[place : place + 2] == META_GROUP:
        long = head[place + 4 : place + 6] in LONG_TYPES
        start = place + (12 if long else 8)
        end = start + int.from_bytes(head[start - 4 : start] if long else head[start - 2 : start], "little")
        if head[place + 2 : place + 4] == SYNTAX_ELEMENT:
            syntax = head[start:end].rstrip(b"\0 ").decode("ascii", "replace")
        place = end
    return syntax, place
