import pytest
from cohorts import crop
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.planning import makespan, makespan_of_parts, plan_cohort


def test_a_cohort_is_planned_from_headers_and_nothing_is_written(job, data, tmp_path):
    crop(data / "sub-03/anat/sub-03_T1w.nii.gz", 9, (40, 18, 16))
    (data / "sub-02/anat/sub-02_T1w.nii.gz").write_bytes(b"no scan")
    plan = plan_cohort(job, find_scans(data, tmp_path / "out", Selection(), "x2"))
    assert list(plan.geometries.values()) == [3, 1]
    assert next(iter(plan.geometries)).startswith("20x18x16 of 1.14")
    assert sum(each.voxels for each in plan.estimates) == (3 * 20 + 40) * 18 * 16
    assert sum(each.result_voxels for each in plan.estimates) == 8 * (3 * 20 + 40) * 18 * 16
    assert plan.seconds > 0
    assert plan.memory > 10_000_000
    ((name, reason),) = plan.refused.items()
    assert name == "sub-02/anat/sub-02_T1w.nii.gz"
    assert "is no complete NIfTI file" in reason
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("seconds", "workers", "expected"),
    [
        # By hand: each worker takes the next scan when it is free.
        ([4, 3, 2, 1], 2, 5),
        ([1, 1, 1, 9], 2, 10),
        ([5], 10, 5),
        ([2] * 10, 3, 8),
    ],
)
def test_the_time_on_workers_is_that_of_a_list_schedule(seconds, workers, expected):
    assert makespan(seconds, workers, overhead=0, start=0) == expected


def test_the_client_limits_how_many_workers_it_can_feed():
    assert makespan([0.0] * 1000, 1000, overhead=0.01, start=1) == pytest.approx(11, rel=0.01)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=40), st.integers(1, 20))
def test_the_time_is_within_graham_s_bound(seconds, workers):
    # R. L. Graham, Bounds on multiprocessing timing anomalies, 1969, DOI 10.1137/0117039.
    least = max(sum(seconds) / workers, *seconds, 0)
    assert least - 1e-9 <= makespan(seconds, workers, overhead=0, start=0) <= (2 - 1 / workers) * least + 1e-9


def test_array_jobs_take_as_long_as_their_longest_part():
    assert makespan_of_parts([[1, 2], [5], []], 3, start=1) == 6
    assert makespan_of_parts([[1, 2], [5], []], 1, start=1) == 11
