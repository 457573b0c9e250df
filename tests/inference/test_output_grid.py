import pytest

from sr_keras.errors import ConfigurationError
from sr_keras.inference.output_grid import parse_scale, parse_spacing


@pytest.mark.parametrize(
    ("text", "factors"),
    [("2", (2, 2, 2)), ("2x2x1", (2, 2, 1)), ("1X1X4", (1, 1, 4)), ("2.0", (2,) * 3), ("2.5x3x1", (2.5, 3, 1))],
)
def test_scales_are_read(text, factors):
    assert parse_scale(text) == factors


@pytest.mark.parametrize("text", ["", "2x2", "-2", "0", "2x2x2x2", "two", "²", "nan"])
def test_what_is_no_scale(text):
    with pytest.raises(ConfigurationError, match=f"^{text!r} is no scale; write one number from 1 to 8, or one for"):
        parse_scale(text)


@pytest.mark.parametrize("text", ["0.5", "9", "2x2x0.9", "inf"])
def test_a_factor_out_of_range_gets_the_spacing_named(text):
    with pytest.raises(ConfigurationError, match=r"from 1 to 8, not .*; for a coarser result give --spacing\.$"):
        parse_scale(text)


def test_spacings_are_read():
    assert parse_spacing("0.5") == (0.5, 0.5, 0.5)
    assert parse_spacing("0.5x0.5x1") == (0.5, 0.5, 1)


@pytest.mark.parametrize("text", ["", "0", "-1", "1x1", "nan", "inf", "1x0x1", "fine"])
def test_what_is_no_spacing(text):
    with pytest.raises(ConfigurationError, match="mm above zero"):
        parse_spacing(text)
