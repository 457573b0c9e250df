import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.cohort.parts import Part, parse_part
from sr_keras.errors import ConfigurationError


@given(st.text(), st.integers(1, 50))
def test_each_name_is_in_one_part(name, count):
    assert sum(Part(number, count).holds(name) for number in range(1, count + 1)) == 1


def test_the_split_never_changes():
    # `printf sub-01 | sha256sum` begins 41c1ca2f53f4dd0b, of sub-02 0fc8269a0bf72379, of sub-03 7dd6f313d00850c8.
    for name, number in (("sub-01", 2), ("sub-02", 2), ("sub-03", 3)):
        assert Part(number, 5).holds(name)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3 "])
def test_what_is_no_part(text):
    with pytest.raises(ConfigurationError, match="is no part; write it like 3/16, from 1/16 to 16/16"):
        parse_part(text)


def test_parts_have_file_names_that_sort():
    assert parse_part("3/16").label == "part-03of16"
    assert parse_part("1/1").label == ""
