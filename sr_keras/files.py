"""Outputs that appear whole or not at all, and memory that is asked for before it is taken."""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from sr_keras.errors import ConfigurationError, OutputError, SrKerasError, VolumeError

# Bytes of a file in the making that the system may hold in memory.
HELD = 32 << 20
# Largest JSON file that is parsed, in bytes: model cards and manifests have about 20 kB.
LARGEST_JSON = 16 << 20
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def check_output(path: Path, *, force: bool) -> None:
    """Refuse an output path before any work is done for it.

    Raises:
        OutputError: it exists and `force` is not given, its folder does not exist, or it cannot be written.
    """
    if path.exists() and not force:
        raise OutputError(
            f"Nothing is overwritten unasked. Received: {path}, which exists. Choose another, or --force."
        )
    if not path.parent.is_dir():
        raise OutputError(f"The output's folder must exist. Received: {path.parent}. Create it first.")
    if path.is_dir():
        raise OutputError(f"The output must be a file. Received: {path}, which is a folder. Name a file in it.")
    # Hours of work should not end at a folder that refuses a file: ask it now.
    with _refusals(path), tempfile.TemporaryFile(dir=path.parent):
        pass


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they do not exist.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    with _refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, of the same suffixes, and rename it to `path` if all goes well.

    Whatever goes wrong, an interruption too, the temporary file is removed and `path` stays as it was.

    Raises:
        OutputError: the file cannot be written: a full disk, a folder without permission.
    """
    with _refusals(path), tempfile.TemporaryDirectory(prefix=".sr_keras-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)


def open_passing(path: Path) -> io.BufferedWriter:
    """Open a file to be written from its beginning to its end, however large.

    What is written goes to the disk in stretches and leaves the system's memory, where the system can be told so: a
    result larger than the memory would otherwise push out of it all that the work still needs, and getting fresh pages
    of memory for it takes time.
    """
    return io.BufferedWriter(_PassingFile(path, "wb"))


class _PassingFile(io.FileIO):
    _passed = 0

    def write(self, data: Any) -> int:
        count = super().write(data)
        end = self.tell()
        if end - self._passed >= HELD and hasattr(os, "posix_fadvise"):
            self._pass_on(end)
        return count

    def _pass_on(self, end: int) -> None:
        try:
            # Only pages that are on the disk can be given back.
            os.fdatasync(self.fileno())
            os.posix_fadvise(self.fileno(), self._passed, end - self._passed, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            # Some file systems, of networks for instance, know no such thing.
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise
        self._passed = end


@contextmanager
def atomic_write_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`, and move all that is in it to `folder` if all goes well.

    Files and folders of the same names are replaced. They move in the order of their names, so that `x.onnx.json`
    appears after `x.onnx`.

    Raises:
        OutputError: they cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".sr_keras-", dir=folder) as temporary:
            yield Path(temporary)
            for path in sorted(Path(temporary).iterdir()):
                target = folder / path.name
                if target.is_dir():
                    shutil.rmtree(target)
                os.replace(path, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{folder} could not be written to: {reason}. Free space or choose another place.") from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, error: type[SrKerasError]) -> Any:
    """Return the content of a JSON file that may come from anywhere.

    Args:
        path: the file.
        error: raised where the file cannot be used.

    Raises:
        SrKerasError: of the class `error`: the file cannot be read, is larger than 16 MiB or is not JSON.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_JSON + 1)
    except OSError as failure:
        raise error(f"{path} cannot be read: {failure.strerror or failure}.") from failure
    return parse_json(content, str(path), error)


def parse_json(content: str | bytes, source: str, error: type[SrKerasError]) -> Any:
    """Return the value of a JSON text that may come from anywhere.

    Args:
        content: the text, UTF-8 where it is bytes.
        source: where it comes from, for the message.
        error: raised where the text cannot be used.

    Raises:
        SrKerasError: of the class `error`: the text is longer than 16 MiB, nested too deeply, or not JSON.
    """
    if len(content) > LARGEST_JSON:
        raise error(f"{source} is not JSON of ours: it is larger than {format_bytes(LARGEST_JSON)}.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as failure:
        reason = "nested too deeply" if isinstance(failure, RecursionError) else failure
        raise error(f"{source} is not valid JSON: {reason}; copy or export it again.") from failure


def check_memory(needed: int, purpose: str) -> None:
    """Refuse work that does not fit into the memory that is free now.

    Args:
        needed: bytes.
        purpose: what needs them, as the subject of a sentence.

    Raises:
        VolumeError: fewer bytes are available.
    """
    available = psutil.virtual_memory().available
    if needed > available:
        raise VolumeError(
            f"{purpose} must fit into memory. Received: {format_bytes(needed)} needed, {format_bytes(available)} "
            "available. Crop the scan, choose a smaller scale, or use a machine with more memory."
        )


def check_disk(needed: int, folder: Path) -> None:
    """Refuse work whose temporary files do not fit on a disk.

    Args:
        needed: bytes.
        folder: on the disk.

    Raises:
        OutputError: fewer bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"Temporary files must fit beside the output. Received: {format_bytes(needed)} needed, "
            f"{format_bytes(free)} free in {folder}. Free space, choose another place, or allow more with --memory."
        )


def format_bytes(count: float) -> str:
    """Return a number of bytes as people write it, "1.5 GB"."""
    for unit in UNITS:
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"


def parse_bytes(text: str) -> int:
    """Return the bytes of "4G", "500M" or "1.5 GB"; a kilobyte is 1000 bytes.

    Raises:
        ConfigurationError: it is none of those, or nothing.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([KMGT])B?", text.strip(), re.IGNORECASE)
    count = float(found[1]) * 1000 ** (" KMGT".index(found[2].upper())) if found else 0.0
    if count < 1:
        raise ConfigurationError(f"An amount of memory must be written like 4G or 500M. Received: {text}.")
    return int(count)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one clear error."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} could not be written: {reason}. Free space or choose another place.") from error
