import pytest

from sr_keras.acquisition.description import Acquisition, Noise, format_acquisition
from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS, THROUGH_PLANE_CASES, acquisition_named
from sr_keras.errors import ConfigurationError


def test_every_case_is_a_preset():
    cases = {name for table in (IN_PLANE_CASES, THROUGH_PLANE_CASES) for names in table.values() for name in names}
    assert cases == set(PRESETS)


def test_an_acquisition_has_a_name_or_a_file(tmp_path):
    assert acquisition_named("cubic") == Acquisition()
    path = tmp_path / "scanner.yaml"
    path.write_text(format_acquisition(Acquisition(noise=Noise("rician", 2.0))))
    assert acquisition_named(str(path)) == Acquisition(noise=Noise("rician", 2.0))


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigurationError, match=r"must be a YAML file or one of ct_box_10, .*\. Received: mri\."):
        acquisition_named("mri")
