import json

import pytest

from sr_keras.cohort.bids_filters import accepts, read_filters
from sr_keras.cohort.bids_names import parse_name
from sr_keras.errors import ConfigurationError


def meant(query, name="sub-01_ses-02_acq-a_run-01_T1w.nii.gz"):
    return accepts({"t1w": query}, parse_name(name), "anat")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"session": "02", "acquisition": "a"}, True),
        ({"session": "01"}, False),
        ({"session": ["01", "02"]}, True),
        ({"run": 1}, True),
        ({"run": "2"}, False),
        # As in fMRIPrep, null means that the entity is absent.
        ({"acquisition": None}, False),
        ({"ceagent": None}, True),
        ({"acquisition": "*"}, True),
        ({"ceagent": "*"}, False),
        ({"ceagent": "Query.OPTIONAL", "datatype": "anat", "suffix": "T1w"}, True),
        ({"datatype": "ct"}, False),
    ],
)
def test_a_query_leaves_in_what_it_asks_for(query, expected):
    assert meant(query) is expected


def test_derived_scans_are_left_out_unless_they_are_asked_for():
    name = "sub-01_desc-preproc_T1w.nii.gz"
    assert not meant({}, name)
    assert meant({"desc": "preproc"}, name)
    assert not meant({"desc": "other"}, name)


def test_queries_for_other_programs_have_no_effect(tmp_path):
    file = tmp_path / "filter.json"
    file.write_text(json.dumps({"bold": {"task": "rest"}, "t2w": {"session": "9"}}))
    assert accepts(read_filters(file), parse_name("sub-01_T1w.nii.gz"), "anat")


def test_a_file_that_asks_for_what_no_name_has(tmp_path):
    file = tmp_path / "filter.json"
    file.write_text('{"t1w": {"sesion": "01"}}')
    with pytest.raises(ConfigurationError, match="asks for 'sesion', which no BIDS name has; did you mean session"):
        read_filters(file)
    file.write_text("[]")
    with pytest.raises(ConfigurationError, match="is no filter file; write it like"):
        read_filters(file)
