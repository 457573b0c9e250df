"""Where the thickness of slices is taken from, and how well it is estimated where nothing says it."""

import json
from dataclasses import replace

import pytest

from sr_keras.adaptation.slices import take_slices
from sr_keras.adaptation.thickness import slice_profile
from sr_keras.dicom.reading import read_series
from sr_keras.errors import ConfigurationError
from sr_keras.io.nifti import read_volume


def test_what_is_given_counts(thick):
    taken = slice_profile(take_slices(thick, 2, 2), 3.0)
    assert (taken.profile, taken.thickness, taken.source) == ("slr", pytest.approx(1.5), "as given")
    with pytest.raises(ConfigurationError, match="between 0.4 and 8 mm for slices every 2 mm, not 20"):
        slice_profile(take_slices(thick, 2, 2), 20.0)


def test_a_sidecar_of_the_same_spacing_counts(thick_file):
    sidecar = thick_file.with_name("thick.json")
    scan = take_slices(read_volume(thick_file), 2, 2)
    for content, expected in (
        ({"SliceThickness": 1.6, "SpacingBetweenSlices": 2.0}, (0.8, "thick.json")),
        ({"SliceThickness": 2.5}, (1.25, "thick.json")),
        ({"SliceThickness": 2.5, "SpacingBetweenSlices": 5.0}, None),
        ({"SliceThickness": 900}, None),
        ({"SliceThickness": "thin"}, None),
        ([], None),
    ):
        sidecar.write_text(json.dumps(content))
        taken = slice_profile(scan, None)
        if expected:
            assert (pytest.approx(taken.thickness), taken.source) == expected
        else:
            assert taken.source == "estimated from the scan"
    sidecar.unlink()


def test_a_dicom_header_counts(tmp_path, thick):
    from dicom.synthetic import classic, save

    volume = read_series(save(classic("MR"), tmp_path / "series"))
    scan = replace(take_slices(thick, 2, 2), volume=volume, spacing=(0.75, 0.5, 2.5))
    taken = slice_profile(scan, None)
    assert (taken.thickness, taken.source) == (pytest.approx(1.2), "the DICOM header")
