import pytest

from sr_keras.errors import ConfigurationError, OutputError, VolumeError
from sr_keras.resources import check_disk, check_memory, format_bytes, parse_bytes


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
