import resource

import pytest

from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.resources import check_disk, check_memory, check_room, format_bytes, parse_bytes


def test_memory_is_asked_for():
    check_memory(1, "A byte")
    with pytest.raises(VolumeError, match=r"The sky needs 1000000.0 TB of memory, .* are free; crop the scan"):
        check_memory(10**18, "The sky")


@pytest.mark.parametrize(("count", "text"), [(5, "5 bytes"), (1500, "1.5 kB"), (2e9, "2.0 GB"), (3e15, "3000.0 TB")])
def test_format_bytes(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [("4G", 4 * 10**9), ("500M", 5 * 10**8), ("1.5 GB", 1_500_000_000), ("2t", 2 * 10**12), ("4GiB", 4 << 30)],
)
def test_amounts_of_memory_are_read(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "4", "G", "-1G", "4 gigabytes", "0G", "1,5G", "4GiBB"])
def test_what_is_no_amount_of_memory(text):
    with pytest.raises(ConfigurationError, match=f"^{text} is no amount of memory; write it like 4G"):
        parse_bytes(text)


def test_the_disk_is_asked_too(tmp_path):
    check_disk(1, tmp_path)
    with pytest.raises(OutputError, match=r"free, temporary files need 1000000.0 TB; .* allow more with --memory"):
        check_disk(10**18, tmp_path)


def test_a_file_that_may_not_fit_is_refused_before_it_is_written(tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        check_room(tmp_path / "a.h5", 1000)
        with pytest.raises(OutputError, match=r"a\.h5 may take 1\.0 kB, but there is room for 1\.0 kB\. Free space"):
            check_room(tmp_path / "a.h5", 1001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
