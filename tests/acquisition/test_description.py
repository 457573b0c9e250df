import pytest

from sr_keras.acquisition.description import (
    Acquisition,
    InPlane,
    Noise,
    ThroughPlane,
    format_acquisition,
    parse_acquisition,
    read_acquisition,
)
from sr_keras.errors import ConfigurationError


def test_yaml_is_read_back(tmp_path):
    acquisition = Acquisition(
        InPlane("k_space", window="fermi", cutoff=0.88), ThroughPlane("slr", 0.8), Noise("rician", 1.5)
    )
    (tmp_path / "scanner.yaml").write_text(format_acquisition(acquisition))
    assert read_acquisition(tmp_path / "scanner.yaml") == acquisition


def test_what_is_not_given_keeps_its_default(tmp_path):
    (tmp_path / "scanner.yaml").write_text("noise: {kind: coloured, level: 10}\n")
    assert read_acquisition(tmp_path / "scanner.yaml") == Acquisition(noise=Noise("coloured", 10.0))
    (tmp_path / "empty.yaml").write_text("")
    assert read_acquisition(tmp_path / "empty.yaml") == Acquisition()


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"noize": {}}, "Every key must be known. Received: noize. Did you mean noise?"),
        (
            {"in_plane": {"windows": "none"}},
            "Every key must be known. Received: in_plane.windows. Did you mean in_plane.window?",
        ),
        ({"noise": {"level": "much"}}, "noise.level must be of type float. Received: 'much'."),
        ([], "An acquisition must be a mapping of keys to values. Received: []."),
        (
            {"in_plane": {"window": "hann"}},
            "in_plane.window must be one of none, fermi, tukey, hamming. Received: hann.",
        ),
        (
            {"in_plane": {"partial_fourier": 0.4}},
            "in_plane.partial_fourier must be between 0.5 and 1. Received: 0.4.",
        ),
        (
            {"in_plane": {"method": "k_space"}, "noise": {"kind": "coloured", "level": 10}},
            "noise.kind coloured is of CT, in_plane.method k_space of MRI; use rician.",
        ),
    ],
)
def test_what_is_wrong_is_refused(tree, message):
    with pytest.raises(ConfigurationError) as raised:
        parse_acquisition(tree)
    assert str(raised.value) == message


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is no description of an acquisition"):
        read_acquisition(tmp_path / "missing.yaml")
