import shutil

import pytest
from cohorts import describe, write_bids

from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.parts import Part
from sr_keras.errors import ConfigurationError, OutputError, VolumeError


def empty(root, *names):
    """Add empty files: no file is opened to find them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(root, **selection):
    found = find_scans(root, root / "derivatives" / "sr", Selection(**selection), "x2")
    return [scan.name.rpartition("/")[2] for scan in found]


@pytest.fixture
def tree(tmp_path):
    return empty(
        describe(tmp_path / "data"),
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.json",
        "sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_label-GM_probseg.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_space-T1w_desc-brain_T1w.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_part-phase_T1w.nii.gz",
        "sub-01/ses-1/func/sub-01_ses-1_task-rest_bold.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_PDw.nii.gz",
        "sub-02/anat/sub-02_T2w.nii",
        "sub-02/ct/sub-02_ct.nii.gz",
        "derivatives/other/sub-01/anat/sub-01_T1w.nii.gz",
        "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
    )


def test_anatomical_scans_are_found_and_nothing_else(tree):
    assert names(tree) == [
        "sub-01_ses-1_T1w.nii.gz",
        "sub-01_ses-2_T1w.nii.gz",
        "sub-02_T2w.nii",
        "sub-02_ct.nii.gz",
    ]


def test_participants_sessions_suffixes_and_filters_choose(tree):
    assert names(tree, participants=["sub-02"]) == ["sub-02_T2w.nii", "sub-02_ct.nii.gz"]
    assert names(tree, sessions=["2"]) == ["sub-01_ses-2_T1w.nii.gz"]
    assert names(tree, suffixes=["PDw"]) == ["sub-01_ses-2_PDw.nii.gz"]
    chosen = names(tree, suffixes=["T1w"], filters={"t1w": {"session": "2"}})
    assert chosen == ["sub-01_ses-2_T1w.nii.gz"]


def test_each_scan_has_its_modality_uri_and_result(tree):
    scans = find_scans(tree, tree / "out", Selection(participants=["02"]), "x2")
    assert [scan.modality for scan in scans] == ["MR", "CT"]
    assert scans[1].uri == "bids:raw:sub-02/ct/sub-02_ct.nii.gz"
    assert scans[1].output == tree / "out/sub-02/ct/sub-02_res-x2_desc-SR_ct.nii.gz"


def test_parts_hold_each_scan_once_and_read_only_their_participants(tmp_path):
    root = describe(tmp_path / "data")
    empty(root, *(f"sub-{n:03d}/anat/sub-{n:03d}_T1w.nii.gz" for n in range(60)))
    parts = [names(root, part=Part(number, 7)) for number in range(1, 8)]
    assert sorted(name for part in parts for name in part) == names(root)
    assert max(map(len, parts)) < 20
    # A participant of another part could be gone, and nobody would notice.
    away = next(name[:7] for part in parts[1:] for name in part)
    shutil.rmtree(root / away)
    assert names(root, part=Part(1, 7)) == parts[0]


def test_what_cannot_be_is_said(tree, tmp_path):
    with pytest.raises(VolumeError, match="nowhere is no folder; name the root of a BIDS data set"):
        names(tmp_path / "nowhere")
    with pytest.raises(VolumeError, match=r"has no dataset_description\.json; name the root"):
        names(tree / "sub-01")
    with pytest.raises(VolumeError, match="has no sub-9; check --participant-label"):
        names(tree, participants=["9", "01"])
    with pytest.raises(VolumeError, match="has no scan of the kinds UNIT1 among what was chosen; check --suffix"):
        names(tree, suffixes=["UNIT1"])
    with pytest.raises(ConfigurationError, match="--suffix dseg is not that of an image"):
        names(tree, suffixes=["dseg"])
    empty(tree, "sub-02/anat/sub-02_T2w.nii.gz")
    with pytest.raises(OutputError, match=r"T2w\.nii and .*T2w\.nii\.gz would have one result; remove one"):
        names(tree)


def test_real_files_are_found_as_well(tmp_path):
    assert len(names(write_bids(tmp_path / "data", 3))) == 5
