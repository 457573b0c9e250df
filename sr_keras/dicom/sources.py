"""The files that a scan may consist of, on disk or in a .zip, read no further than somebody needs."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

from sr_keras.dicom.streams import Beginning, Whole, plain
from sr_keras.errors import VolumeError
from sr_keras.resources import format_bytes

# Enough to see the magic word of a DICOM file.
HEAD_BYTES = 132
# How a .zip begins, whether or not its end is there.
ZIP_START = b"PK\x03\x04"
# Bytes that are hashed together.
PIECE = 1 << 20
# What macOS puts beside a file on other file systems holds nothing of it.
APPLE_DOUBLE = "._"


@dataclass(frozen=True)
class Source:
    """A file, or a member of a .zip.

    Attributes:
        path: of the file or of the .zip.
        member: the name in the .zip; "" for a file.
        archive: the open .zip; None for a file. Opened once: its directory may list thousands of members.
        pixels: bytes before the element of the pixel data, as the header was read; 0 where that is not known.
    """

    path: Path
    member: str = ""
    archive: zipfile.ZipFile | None = field(default=None, repr=False, compare=False)
    pixels: int = field(default=0, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.member.rsplit("/", 1)[-1] if self.member else self.path.name

    @property
    def label(self) -> str:
        """What messages call it: its path, of a member that of the .zip and its own name."""
        return f"{self.path}: {self.name}" if self.member else str(self.path)

    @property
    def folder(self) -> str:
        """The folder that it lies in, on disk or in the .zip."""
        return self.member.rpartition("/")[0] if self.member else str(self.path.parent)

    @property
    def size(self) -> int:
        """Bytes of the file; of a member as the .zip states them.

        Raises:
            VolumeError: it cannot be read.
        """
        with read_errors(self.path):
            return self.archive.getinfo(self.member).file_size if self.archive else self.path.stat().st_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Yield the open file.

        Raises:
            VolumeError: it cannot be read.
        """
        with read_errors(self.path), self.archive.open(self.member) if self.archive else self.path.open("rb") as file:
            yield file

    def head(self) -> bytes:
        """Return the first bytes, enough to tell a DICOM file.

        Raises:
            VolumeError: it cannot be read.
        """
        with self.open() as file:
            return file.read(HEAD_BYTES)

    @contextmanager
    def whole(self, most: int) -> Iterator[Whole | BytesIO]:
        """Yield all of the file, of a deflated object the plain one, to be read once from its beginning to its end.

        Args:
            most: bytes that it may have.

        Raises:
            VolumeError: it cannot be read, or has more.
        """
        with self.open() as file:
            stream, deflated = plain(file)
            data = stream.read(most + 1) if deflated else b""
            if len(data) > most or self.size > most:
                raise VolumeError(
                    f"{self.path}: a file must be as large as its image. Received: more than {format_bytes(most)}. "
                    "Copy it again from its source."
                )
            file.seek(0)
            yield BytesIO(data) if deflated else Whole(file, self.size)

    @contextmanager
    def beginning(self) -> Iterator[Beginning]:
        """Yield the beginning of the file, which is read as far as it is asked for.

        Raises:
            VolumeError: it cannot be read.
        """
        with self.open() as file:
            yield Beginning(file)

    def sha256(self) -> str:
        """Return the SHA-256 of the file, hexadecimal.

        Raises:
            VolumeError: it cannot be read.
        """
        digest = hashlib.sha256()
        with self.open() as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()


def sources_in(path: Path) -> Iterator[Source]:
    """Yield the files below a folder, the members of a .zip, or the file itself, sorted by name.

    Raises:
        VolumeError: the path does not exist, or is a .zip that cannot be read.
    """
    if path.is_dir():
        yield from (Source(each) for each in sorted(path.rglob("*")) if each.is_file() and _is_visible(each.name))
    elif not path.is_file():
        raise VolumeError(f"{path} does not exist; check the path.")
    elif is_zip(path):
        with read_errors(path):
            # Closed with the last of its sources.
            archive = zipfile.ZipFile(path)
        # The name of a damaged archive's member may be empty, of which `ZipInfo.is_dir` makes an IndexError.
        names = (info.filename for info in archive.infolist() if info.filename and not info.is_dir())
        members = (Source(path, name, archive) for name in sorted(names))
        yield from (member for member in members if _is_visible(member.name))
    else:
        yield Source(path)


def is_zip(path: Path) -> bool:
    """Say whether a path is a .zip, an incomplete one too.

    Raises:
        VolumeError: it cannot be read.
    """
    if not path.is_file():
        return False
    with read_errors(path), path.open("rb") as file:
        return file.read(len(ZIP_START)) == ZIP_START or zipfile.is_zipfile(path)


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn what the system, zipfile and zlib raise on a file into one error that says why.

    Raises:
        VolumeError: it cannot be read.
    """
    try:
        yield
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        reason, remedy = _reason(error)
        raise VolumeError(f"{path}: every file of the scan must be readable. Received: {reason}. {remedy}.") from error


def _reason(error: Exception) -> tuple[str, str]:
    """Return why a file cannot be read, in words that name no file, and what to do."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower(), "Make it readable, or copy it again from its source"
    if "password" in str(error) or "encrypted" in str(error):
        return "an encrypted .zip", "Unpack it with its password first, and give the folder"
    if isinstance(error, NotImplementedError):
        return "a .zip packed by a method unknown here", "Unpack it first, and give the folder"
    if isinstance(error, zipfile.BadZipFile | zlib.error | EOFError):
        return "a damaged or incomplete file", "Copy it again from its source"
    return type(error).__name__, "Copy it again from its source"


def _is_visible(name: str) -> bool:
    return not name.startswith(APPLE_DOUBLE)
