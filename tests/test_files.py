import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sr_keras import files
from sr_keras.errors import OutputError
from sr_keras.files import (
    atomic_write,
    atomic_write_folder,
    check_distinct,
    check_output,
    distinct_names,
    file_sha256,
    made_folder,
    make_folder,
    open_passing,
    reserved,
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
    with pytest.raises(OutputError, match=r"out exists; use --force to overwrite\.$"):
        check_output(tmp_path / "out", force=False)
    check_output(tmp_path / "out", force=True)
    with pytest.raises(OutputError, match=r"nowhere does not exist; create the output's folder first\.$"):
        check_output(tmp_path / "nowhere" / "out", force=True)
    with pytest.raises(OutputError, match=r" is a folder; name a file in it\.$"):
        check_output(tmp_path, force=True)
    with pytest.raises(OutputError, match=r"/proc/out could not be written: "):
        check_output(Path("/proc/out"), force=False)
    with (
        pytest.raises(OutputError, match="could not be written: Not a directory"),
        atomic_write(tmp_path / "out" / "x"),
    ):
        pass


def test_a_broken_link_is_refused_before_any_work(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    for force in (False, True):
        with pytest.raises(OutputError, match=r"out is a broken link; remove it or choose another output\.$"):
            check_output(tmp_path / "out", force=force)


def test_an_output_that_is_the_input_is_refused(tmp_path):
    (tmp_path / "scan").touch()
    (tmp_path / "link").symlink_to(tmp_path / "scan")
    for name in ("scan", "link", "../" + tmp_path.name + "/scan"):
        with pytest.raises(OutputError, match="is the input itself; choose another output"):
            check_distinct(tmp_path / "scan", tmp_path / name)
    check_distinct(tmp_path / "scan", tmp_path / "new")


def test_what_appears_meanwhile_is_not_overwritten(tmp_path):
    with (  # noqa: PT012
        pytest.raises(OutputError, match="out exists; use --force"),
        atomic_write(tmp_path / "out", force=False) as new,
    ):
        new.write_text("mine")
        (tmp_path / "out").write_text("theirs")
    assert (tmp_path / "out").read_text() == "theirs"
    with atomic_write(tmp_path / "out", force=True) as new:
        new.write_text("mine")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_file_system_without_links_is_written_to_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with atomic_write(tmp_path / "out", force=False) as new:
        new.write_text("mine")
    assert (tmp_path / "out").read_text() == "mine"


OTHER_RUN = """
import sys, time
from pathlib import Path
from sr_keras.files import atomic_write
with atomic_write(Path(sys.argv[1])) as new:
    new.write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_and_what_a_killed_one_left_is_removed(tmp_path):
    out = tmp_path / "out"
    other = subprocess.Popen([sys.executable, "-c", OTHER_RUN, str(out)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"begun\n"
    with pytest.raises(OutputError, match="out is being written by another run; wait for it"), reserved(out):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    assert (tmp_path / ".sr_keras-out" / "out").read_text() == "half"
    with atomic_write(out) as new:
        assert [path.name for path in new.parent.iterdir()] == ["lock"]
        new.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_names_of_any_length_can_be_reserved(tmp_path):
    with atomic_write(tmp_path / ("n" * 255)) as new:
        new.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 255]


def test_a_folder_of_files_appears_together(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with atomic_write_folder(tmp_path, "a") as new:
        (new / "a").mkdir()
        (new / "a.json").write_text("{}")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "a.json"]


def test_sha256_by_its_standard(tmp_path):
    (tmp_path / "abc").write_text("abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == digest


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/ct.nii", "b/mr.nii"], ["ct.nii", "mr.nii"]),
        (["a/ct.nii", "b/ct.nii", "b/mr.nii"], ["a/ct.nii", "b/ct.nii", "b/mr.nii"]),
        (["ct.nii", "a/ct.nii"], ["ct.nii", "a/ct.nii"]),
        # One file named twice, in two ways, is one file.
        (["a/ct.nii", "b/../a/ct.nii"], ["ct.nii", "ct.nii"]),
    ],
)
def test_files_of_one_name_are_told_apart_by_their_folders(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names


def test_a_folder_that_nothing_came_into_is_removed_unless_it_was_there(tmp_path):
    for name, content in (("empty", ""), ("full", "a"), ("old", "")):
        if name == "old":
            (tmp_path / name).mkdir()
        with pytest.raises(RuntimeError, match="stop"), made_folder(tmp_path / name):  # noqa: PT012
            if content:
                (tmp_path / name / content).touch()
            raise RuntimeError("stop")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "old"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"file is a file; name a folder for the results\.$"):
        make_folder(tmp_path / "file")
