import errno
import os
from pathlib import Path

import pytest

from sr_keras import files
from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.files import (
    atomic_write,
    check_disk,
    check_memory,
    check_output,
    file_sha256,
    format_bytes,
    open_passing,
    parse_bytes,
)


def test_a_file_appears_whole(tmp_path):
    with atomic_write(tmp_path / "out.nii.gz") as temporary:
        temporary.write_text("half")
        assert temporary.name == "out.nii.gz"
        assert not (tmp_path / "out.nii.gz").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out.nii.gz"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whatever_goes_wrong_nothing_changes(tmp_path, error):
    (tmp_path / "out").write_text("before")
    with pytest.raises(error, match="stop"), atomic_write(tmp_path / "out") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "before"


def test_a_file_in_the_making_leaves_memory_in_stretches(tmp_path, monkeypatch):
    given_back = []
    monkeypatch.setattr(files, "HELD", 1000)
    monkeypatch.setattr(os, "posix_fadvise", lambda _, start, count, advice: given_back.append((start, count, advice)))
    content = os.urandom(70_000)
    with open_passing(tmp_path / "out") as file:
        file.write(content[:10])
        for start in range(10, 70_000, 30_000):
            file.write(content[start : start + 30_000])
    assert (tmp_path / "out").read_bytes() == content
    # One after another, and only what was written.
    assert [start for start, _, _ in given_back] == [0, *(start + count for start, count, _ in given_back[:-1])]
    assert sum(count for _, count, _ in given_back) == 70_000
    assert {advice for _, _, advice in given_back} == {os.POSIX_FADV_DONTNEED}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_knows_no_stretches_is_written_to_all_the_same(tmp_path, monkeypatch, number):
    def unknown(_):
        raise OSError(number, "never heard of it")

    monkeypatch.setattr(files, "HELD", 1000)
    monkeypatch.setattr(os, "fdatasync", unknown)
    with open_passing(tmp_path / "out") as file:
        file.write(bytes(100_000))
    assert (tmp_path / "out").read_bytes() == bytes(100_000)


def test_a_disk_that_is_full_when_it_is_asked_is_an_error(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "HELD", 1000)
    monkeypatch.setattr(os, "fdatasync", full)
    with (
        pytest.raises(OutputError, match="could not be written: No space left on device"),
        atomic_write(tmp_path / "out") as temporary,
        open_passing(temporary) as file,
    ):
        file.write(bytes(100_000))
    assert not list(tmp_path.iterdir())


def test_outputs_that_cannot_be(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match=r"Nothing is overwritten unasked. Received: .*out, which exists"):
        check_output(tmp_path / "out", force=False)
    check_output(tmp_path / "out", force=True)
    with pytest.raises(OutputError, match=r"folder must exist. Received: .*nowhere"):
        check_output(tmp_path / "nowhere" / "out", force=True)
    with pytest.raises(OutputError, match="must be a file. Received: .*, which is a folder"):
        check_output(tmp_path, force=True)
    with pytest.raises(OutputError, match=r"/proc/out could not be written: "):
        check_output(Path("/proc/out"), force=False)
    with (
        pytest.raises(OutputError, match="could not be written: Not a directory"),
        atomic_write(tmp_path / "out" / "x"),
    ):
        pass


def test_memory_is_asked_for():
    check_memory(1, "A byte")
    with pytest.raises(VolumeError, match=r"The sky must fit into memory. Received: 1000000.0 TB needed, .* available"):
        check_memory(10**18, "The sky")


@pytest.mark.parametrize(("count", "text"), [(5, "5 bytes"), (1500, "1.5 kB"), (2e9, "2.0 GB"), (3e15, "3000.0 TB")])
def test_format_bytes(count, text):
    assert format_bytes(count) == text


def test_sha256_by_its_standard(tmp_path):
    (tmp_path / "abc").write_text("abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == digest


@pytest.mark.parametrize(
    ("text", "count"), [("4G", 4 * 10**9), ("500M", 5 * 10**8), ("1.5 GB", 1_500_000_000), ("2t", 2 * 10**12)]
)
def test_amounts_of_memory_are_read(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "4", "G", "-1G", "4 gigabytes", "0G", "1,5G", "4GiB"])
def test_what_is_no_amount_of_memory(text):
    with pytest.raises(ConfigurationError, match=f"like 4G or 500M. Received: {text}"):
        parse_bytes(text)


def test_the_disk_is_asked_too(tmp_path):
    check_disk(1, tmp_path)
    with pytest.raises(
        OutputError, match=r"Temporary files .* Received: 1000000.0 TB needed, .* allow more with --mem"
    ):
        check_disk(10**18, tmp_path)
