import pytest

from sr_keras.cohort.bids_names import parse_name, resolution_label, result_name


@pytest.mark.parametrize(
    ("scan", "result"),
    [
        # Worked by hand from the entity table of BIDS 1.10: res after space and recording, desc last.
        ("sub-01_T1w.nii.gz", "sub-01_res-x2_desc-SR_T1w.nii.gz"),
        ("sub-01_ses-2_acq-mprage_run-01_T1w.nii", "sub-01_ses-2_acq-mprage_run-01_res-x2_desc-SR_T1w.nii.gz"),
        ("sub-01_space-MNI152_label-GM_T1w.nii.gz", "sub-01_space-MNI152_res-x2_label-GM_desc-SR_T1w.nii.gz"),
        ("sub-01_echo-1_part-mag_T2w.nii.gz", "sub-01_echo-1_part-mag_res-x2_desc-SR_T2w.nii.gz"),
        ("sub-01_later-a_T1w.nii.gz", "sub-01_later-a_res-x2_desc-SR_T1w.nii.gz"),
    ],
)
def test_a_result_has_the_entities_of_its_scan_in_the_standard_s_order(scan, result):
    assert result_name(parse_name(scan), "x2") == result


@pytest.mark.parametrize("name", ["T1w.nii.gz", "sub-01.nii.gz", "sub-01_sub-02_T1w.nii.gz", "sub-01_T1w.json"])
def test_other_names_are_none_of_bids(name):
    assert parse_name(name) is None


def test_labels_of_resolutions_are_letters_and_digits():
    assert resolution_label((2, 2, 2), None) == "x2"
    assert resolution_label((2, 2, 1), None) == "2x2x1"
    assert resolution_label((2, 2, 2), (0.5, 0.5, 1.25)) == "0p5x0p5x1p25mm"
    assert resolution_label((2, 2, 2), (1, 1, 1)) == "1mm"
