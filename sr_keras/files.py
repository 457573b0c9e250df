"""Outputs that appear whole or not at all, and that two runs never write at once."""

import errno
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sr_keras.errors import OutputBusyError, OutputError, SrKerasError
from sr_keras.resources import format_bytes

if sys.platform != "win32":
    import fcntl

# Bytes of an unfinished file that the system may hold in memory.
HELD = 32 << 20
# What the temporary folder of an output is named by: this, then the output's name.
TEMPORARY_PREFIX = ".sr_keras-"
# No file system takes longer names, in bytes.
LONGEST_NAME = 255
# Largest JSON file that is parsed, in bytes: model cards and manifests have about 20 kB.
LARGEST_JSON = 16 << 20
# What a file system says that knows no hard links.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def check_output(path: Path, *, force: bool) -> None:
    """Refuse an output file before any work is done for it.

    Args:
        path: of the file.
        force: whether a file that exists there may be overwritten.

    Raises:
        OutputError: it exists and `force` is not given, it is a folder or a broken link, or it cannot be written.
    """
    if path.is_symlink() and not path.exists():
        raise OutputError(f"{path} is a broken link; remove it or choose another output.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it.")
    if path.exists() and not force:
        raise OutputError(f"{path} exists; use --force to overwrite.")
    check_parent(path)


def check_parent(path: Path) -> None:
    """Refuse an output in a folder that is missing or read-only: hours of work should not end there.

    Raises:
        OutputError: as said.
    """
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent} does not exist; create the output's folder first.")
    with write_errors(path), tempfile.TemporaryFile(dir=path.parent):
        pass


def check_distinct(source: Path, output: Path) -> None:
    """Refuse an output that is the input, by another name or a link too: the original would be lost.

    Args:
        source: a file or folder that exists.
        output: where a result is to go.

    Raises:
        OutputError: both are one.
    """
    with suppress(OSError):
        if output.samefile(source):
            raise OutputError(f"{output} is the input itself; choose another output.")


def check_is_folder(folder: Path) -> None:
    """Refuse a folder of outputs that cannot be one, before any work is done for it.

    Raises:
        OutputError: it is a file, or a broken link.
    """
    if folder.is_symlink() and not folder.exists():
        raise OutputError(f"{folder} is a broken link; remove it or choose another output.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder for the results.")


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files and folders; where two share one, all are named from their common folder on."""
    whole = [os.path.abspath(path) for path in paths]
    names = [Path(path).name for path in whole]
    if len(set(names)) == len(set(whole)):
        return names
    common = os.path.commonpath(whole)
    return [Path(path).relative_to(common).as_posix() for path in whole]


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they do not exist.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    check_is_folder(folder)
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder as `make_folder` does; where nothing is in it at the end, and it was not there before, remove it.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    was_there = folder.exists()
    make_folder(folder)
    try:
        yield
    finally:
        if not was_there:
            # What holds something is not removed.
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def atomic_write(path: Path, *, force: bool = True) -> Iterator[Path]:
    """Yield a temporary path of the same name, and rename it to `path` if all goes well.

    Whatever goes wrong, an interruption too, the temporary file is removed and `path` stays as it was.

    Args:
        path: of the file.
        force: whether a file that appeared there meanwhile is overwritten.

    Raises:
        OutputError: the file cannot be written, exists without `force`, or another run is writing it.
    """
    with reserved(path) as folder, write_errors(path):
        yield folder / path.name
        publish(folder / path.name, path, force=force)


@contextmanager
def atomic_write_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`, and move all that is in it to `folder` if all goes well.

    Files and folders of the same names are replaced; who does not want that looks for them in here, where no other run
    makes them. They move in the order of their names, so that `x.onnx.json` appears after `x.onnx`.

    Args:
        folder: exists.
        name: of what is written; another run that writes the same is refused.

    Raises:
        OutputError: they cannot be written, or another run is writing them.
    """
    with reserved(folder / name) as temporary, write_errors(folder):
        new, old = temporary / "new", temporary / "old"
        new.mkdir()
        old.mkdir()
        yield new
        for path in sorted(new.iterdir()):
            target = folder / path.name
            if target.is_dir():
                os.replace(target, old / path.name)
            os.replace(path, target)


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside an output that no other run has, and remove it at the end.

    Its name follows from the output's, so that the next run for the same output removes what a killed one left.

    Args:
        path: of the output, a file or a folder.

    Raises:
        OutputError: another run is writing this output, or the folder cannot be made.
    """
    folder = path.with_name(_temporary_name(path.name))
    with write_errors(path):
        lock = _locked(folder, path)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_stale(path: Path) -> None:
    """Remove what a killed run left beside an output; leave it where another run is writing there.

    Args:
        path: of the output.
    """
    if path.with_name(_temporary_name(path.name)).exists():
        with suppress(OutputError), reserved(path):
            pass


def publish(temporary: Path, path: Path, *, force: bool) -> None:
    """Move a finished file to its place.

    Args:
        temporary: on the same file system.
        path: its place.
        force: whether a file that is there is overwritten.

    Raises:
        OutputError: one is there and `force` is not given.
        OSError: it cannot be moved.
    """
    if not force:
        try:
            # Unlike a rename, a link fails where a file appeared since the output was checked.
            os.link(temporary, path)
            return
        except OSError as error:
            if error.errno not in NO_LINKS:
                if isinstance(error, FileExistsError):
                    raise OutputError(f"{path} exists; use --force to overwrite.") from error
                raise
    os.replace(temporary, path)


def publish_together(moves: Sequence[tuple[Path, Path, bool]], finish: Callable[[], None] = lambda: None) -> None:
    """Move finished files to their places: all of them or, where one cannot be moved, none that was not there before.

    Args:
        moves: for each file where it is, its place on the same file system, and whether one there is overwritten.
        finish: called in the end; where it fails, no file is published either.

    Raises:
        OutputError: a file is in a place and must not be overwritten.
        OSError: one cannot be moved.
    """
    made: list[Path] = []
    try:
        for temporary, path, force in moves:
            is_new = not path.exists()
            publish(temporary, path, force=force)
            made += [path] if is_new else []
        finish()
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one clear error.

    Raises:
        OutputError: it refused.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {_reason(error)}. Free space or choose another place."
        ) from error


def open_passing(path: Path) -> io.BufferedWriter:
    """Open a file to be written from its beginning to its end, however large.

    What is written goes to the disk in stretches and leaves the system's memory, where the system can be told so: a
    result larger than the memory would otherwise push out of it all that the job still needs.
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


def _reason(error: OSError) -> str:
    """Return what the system said; pydicom hides it behind an exception of its own."""
    said = error.strerror or getattr(error.__cause__ or error.__context__, "strerror", None)
    return said or (str(error).splitlines() or [type(error).__name__])[0]


def _temporary_name(name: str) -> str:
    if len(os.fsencode(TEMPORARY_PREFIX + name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return TEMPORARY_PREFIX + name


def _locked(folder: Path, output: Path) -> int:
    """Make a folder, or take over one whose run was killed; return the open file whose lock says that it is in use."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
        except FileNotFoundError:
            # The run before removed the folder at this very moment.
            continue
        try:
            lock_file(lock, output)
            if _is_file(lock, folder / "lock"):
                _remove_stale(folder)
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def lock_file(file: int, output: Path) -> None:
    """Lock an open file until it is closed.

    Args:
        file: its descriptor.
        output: what is written under the lock, for the message.

    Raises:
        OutputBusyError: another run holds the lock.
        OSError: the lock cannot be taken.
    """
    if sys.platform == "win32":
        # There two runs into one output are only noticed at the end.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputBusyError(
            f"{output} is being written by another run; wait for it or choose another output."
        ) from error
    except OSError as error:
        # Some file systems know no locks; two runs are then only noticed at the end.
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL):
            raise


def _is_file(file: int, path: Path) -> bool:
    """Say whether an open file is still the one at a path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _remove_stale(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
