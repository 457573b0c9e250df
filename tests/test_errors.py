"""Texts from files on their way to a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.errors import SrKerasError, StageError, UnknownModelError, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a plain text, with é and 骨", "a plain text, with é and 骨"),
        ("clear\x1b[2Jscreen", r"clear\x1b[2Jscreen"),
        ("\x9b31mred", r"\x9b31mred"),
        ("two\nlines\r", r"two\nlines\r"),
        ("evil\u202etxt.exe", r"evil\u202etxt.exe"),
        ("undecodable \udcff", r"undecodable \udcff"),
    ],
)
def test_what_a_terminal_could_act_on_is_written_as_an_escape(text, expected):
    assert printable(text) == expected


@given(st.text())
def test_every_text_becomes_one_printable_line(text):
    assert printable(text).isprintable()


def test_an_unknown_model_is_an_error_of_ours():
    assert issubclass(UnknownModelError, StageError)
    assert issubclass(StageError, SrKerasError)
