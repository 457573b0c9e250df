import shutil
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from dicom.synthetic import classic, save

from sr_keras.engines import KerasEngine
from sr_keras.errors import OutputError, VolumeError
from sr_keras.inference.folders import (
    Summary,
    check_folder,
    expanded,
    find_scans,
    named_scans,
    plan_scans,
    run_folder,
    run_scans,
)
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages

JOB = PredictionJob(
    Upscaler([KerasEngine(stage) for stage in choose_stages(shipped_stages(), "georgescu2020").values()]),
    factors=(2, 2, 1),
)


@pytest.fixture
def folder(small_scan, tmp_path):
    """Two scans, one of them in a subfolder, a damaged one, and a file that is none."""
    scans = tmp_path / "scans"
    (scans / "sub").mkdir(parents=True)
    shutil.copy(small_scan, scans / "a.nii.gz")
    (scans / "b.nii.gz").write_bytes(small_scan.read_bytes()[:1000])
    shutil.copy(small_scan, scans / "sub" / "c.nii.gz")
    (scans / "notes.txt").write_text("nothing")
    return scans


def test_a_folder_goes_on_after_a_failure_and_skips_what_is_done(folder, tmp_path):
    out, told = tmp_path / "out", []
    assert run_folder(JOB, folder, out, told.append) == Summary(done=2, skipped=0, failed=1)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.nii.gz")) == ["a.nii.gz", "sub/c.nii.gz"]
    assert told[0] == "a.nii.gz: done: 96x80x24 voxels of 0.572917x0.572917x1 mm, MR"
    assert told[1].startswith("b.nii.gz: failed: ")
    assert "truncated or corrupt" in told[1]
    assert told[1].count("b.nii.gz") == 1
    assert run_folder(JOB, folder, out, told.append) == Summary(done=0, skipped=2, failed=1)


def test_a_folder_names_the_scan_that_a_notice_is_about(small_scan, tmp_path):
    scans, told = tmp_path / "scans", []
    scans.mkdir()
    shutil.copy(small_scan, scans / "a.nii.gz")
    job = replace(JOB, upscaler=replace(JOB.upscaler, data_consistency=True))
    run_folder(job, scans, tmp_path / "out", lambda _: None, warn=told.append)
    assert told[0].startswith("a.nii.gz: Warning: scan looks noisy")
    assert told[-1].startswith("a.nii.gz: Back-projection: the downsampled result differed from the scan by ")


def test_folders_that_cannot_be(folder, tmp_path):
    with pytest.raises(OutputError, match="inside is in the folder of the scans; choose a folder apart from it"):
        run_folder(JOB, folder, folder / "inside", print)
    with pytest.raises(VolumeError, match=r"nowhere does not exist; check the path\.$"):
        run_folder(JOB, tmp_path / "nowhere", tmp_path / "out", print)


def test_find_scans_sorts_within_folders(folder, small_scan):
    names = [path.name for path in find_scans([small_scan, folder])]
    assert names == ["brain.nii.gz", "a.nii.gz", "b.nii.gz", "c.nii.gz"]


def test_a_rerun_with_other_options_skips_nothing_in_silence(small_scan, tmp_path):
    scans, out, told = tmp_path / "scans", tmp_path / "out", []
    scans.mkdir()
    shutil.copy(small_scan, scans / "a.nii.gz")
    run_folder(JOB, scans, out, told.append)
    finer = replace(JOB, factors=(4, 4, 1))
    assert run_folder(finer, scans, out, told.append) == Summary(failed=1)
    assert told[-1].endswith("a.nii.gz was made with other options (factors); use --force to make it again")
    assert nibabel.load(out / "a.nii.gz").shape == (96, 80, 24)
    assert run_folder(replace(finer, force=True), scans, out, told.append) == Summary(done=1)
    assert nibabel.load(out / "a.nii.gz").shape == (192, 160, 24)
    assert run_folder(finer, scans, out, told.append) == Summary(skipped=1)


def test_every_option_that_changes_a_result_counts(small_scan, tmp_path):
    scans, out, told = tmp_path / "scans", tmp_path / "out", []
    scans.mkdir()
    shutil.copy(small_scan, scans / "a.nii.gz")
    run_folder(JOB, scans, out, told.append)
    fast = Upscaler([KerasEngine(stage) for stage in choose_stages(shipped_stages(), "fast").values()])
    for changed, named in (
        ({"dtype": "float32"}, "dtype"),
        ({"nan_fill": 0.0}, "nan_fill"),
        ({"modality": "CT"}, "modality"),
        ({"slice_axis": 0}, "slice_axis"),
        ({"spacing": (1, 1, 1)}, "factors, spacing_mm"),
        ({"isotropic": True}, "factors, isotropic"),
        ({"like": small_scan}, "factors, like"),
        ({"upscaler": replace(JOB.upscaler, data_consistency=True)}, "data_consistency"),
        ({"upscaler": replace(JOB.upscaler, self_ensemble="mean")}, "self_ensemble"),
        ({"upscaler": fast}, "models"),
    ):
        assert run_folder(replace(JOB, **changed), scans, out, told.append) == Summary(failed=1)
        assert f"was made with other options ({named}); use --force" in told[-1]
    assert run_folder(JOB, scans, out, told.append) == Summary(skipped=1)


def test_a_rerun_notices_another_scan_and_a_changed_result(small_scan, tmp_path):
    scans, out, told = tmp_path / "scans", tmp_path / "out", []
    scans.mkdir()
    shutil.copy(small_scan, scans / "a.nii.gz")
    run_folder(JOB, scans, out, told.append)
    nibabel.save(nibabel.load(small_scan).slicer[:, :, 2:], scans / "a.nii.gz")
    assert run_folder(JOB, scans, out, told.append) == Summary(failed=1)
    assert "was made of another scan" in told[-1]
    with (out / "a.nii.gz").open("ab") as file:
        file.write(b"more")
    assert run_folder(JOB, scans, out, told.append) == Summary(failed=1)
    assert "was changed since it was made" in told[-1]
    (out / "a.json").unlink()
    assert run_folder(JOB, scans, out, told.append) == Summary(failed=1)
    assert "exists, but no a.json beside it says how it was made" in told[-1]


def test_a_rerun_compares_dicom_series_too(small_scan, tmp_path):
    series, out = save(classic("MR", np.uint16, slices=8), tmp_path / "series"), tmp_path / "out"
    scans = named_scans([series, small_scan])

    def lines(job=JOB):
        return [attempt.line.replace(str(out), "out") for attempt in run_scans(job, scans, out)]

    assert [line.split(": ")[1] for line in lines()] == ["done", "done"]
    before = {path.name: path.read_bytes() for path in (out / "series").iterdir()}
    assert lines() == ["series: skipped", "brain.nii.gz: skipped"]
    assert [plan for _, plan in plan_scans(JOB, scans, out)] == ["is done", "is done"]
    assert {path.name: path.read_bytes() for path in (out / "series").iterdir()} == before
    otherwise = "series: failed: out/series was made with other options (factors); use --force to make it again"
    assert lines(replace(JOB, factors=(4, 4, 1)))[0] == otherwise
    (out / "series" / "IM000003.dcm").unlink()
    assert "out/series was changed since it was made; use --force" in lines()[0]
    assert "series: done" in lines(replace(JOB, force=True))[0]
    save(classic("MR", np.uint16, slices=9), series)
    assert "out/series was made of another scan; use --force" in lines()[0]
    (out / "series" / "sr_keras.json").unlink()
    assert "out/series exists, but no sr_keras.json in it says how it was made; use --force" in lines()[0]


def test_a_folder_run_takes_every_format_and_each_pair_once(small_scan, tmp_path):
    scans, out, told = tmp_path / "scans", tmp_path / "out", []
    scans.mkdir()
    scan = read_volume(small_scan)
    for name in ("a.mgz", "b.hdr", "c.nrrd", "d.nii", "e.mhd"):
        write_volume(scan, scans / name, like=scan)
    (scans / "._a.nii.gz").write_bytes(b"Mac OS X")
    assert run_folder(JOB, scans, out, told.append) == Summary(done=5)
    assert [line.split(":")[0] for line in told] == ["a.mgz", "b.hdr", "c.nrrd", "d.nii", "e.mhd"]
    results = [read_volume(out / name).voxels for name in ("a.mgz", "b.hdr", "c.nrrd", "d.nii", "e.mhd")]
    assert all((result == results[0]).all() for result in results)
    assert run_folder(JOB, scans, out, told.append) == Summary(skipped=5)
    (scans / "b.img").write_bytes((scans / "b.img").read_bytes()[::-1])
    assert run_folder(JOB, scans, out, told.append) == Summary(skipped=4, failed=1)
    assert "b.hdr was made of another scan" in next(line for line in told if line.startswith("b.hdr: failed"))


def test_a_folder_is_planned_without_writing(folder, tmp_path):
    planned = {str(scan.name): plan for scan, plan in plan_scans(JOB, named_scans([folder]), tmp_path / "out")}
    assert list(planned) == ["a.nii.gz", "b.nii.gz", "sub/c.nii.gz"]
    first, second, _ = planned.values()
    assert first.grid.shape == (96, 80, 24)
    assert second.startswith("fails: ")
    assert "truncated or corrupt" in second
    assert not (tmp_path / "out").exists()


def test_scans_and_folders_in_one_call_keep_their_names(folder, small_scan, tmp_path):
    scans = named_scans([small_scan, folder])
    assert [str(scan.name) for scan in scans] == ["brain.nii.gz", "a.nii.gz", "b.nii.gz", "sub/c.nii.gz"]
    attempts = list(run_scans(JOB, scans[:2], tmp_path / "out"))
    assert [(attempt.status, attempt.output.name) for attempt in attempts] == [
        ("done", "brain.nii.gz"),
        ("done", "a.nii.gz"),
    ]
    assert attempts[0].outcome.facts["shape"] == [96, 80, 24]


def test_two_results_of_one_name_are_refused_before_any_work(folder, tmp_path):
    scans = named_scans([folder / "a.nii.gz", folder])
    check_folder(scans, tmp_path / "out", [])
    other = tmp_path / "a.nii.gz"
    shutil.copy(folder / "a.nii.gz", other)
    with pytest.raises(OutputError, match="have one name; super-resolve them into two folders"):
        check_folder(named_scans([other, folder]), tmp_path / "out", [])


def test_several_scans_need_a_folder_as_output(folder, small_scan, tmp_path):
    for given in ([folder], [small_scan, folder / "a.nii.gz"]):
        with pytest.raises(
            OutputError, match=r"single.nii.gz is the name of one image file; several scans, .* need a fo"
        ):
            check_folder(named_scans(given), tmp_path / "single.nii.gz", given)
    (tmp_path / "odd.nii.gz").mkdir()
    check_folder(named_scans([folder]), tmp_path / "odd.nii.gz", [folder])


def test_two_results_of_one_sidecar_are_refused_before_any_work(small_scan, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(small_scan, scans / "a.nii.gz")
    write_volume(read_volume(small_scan), scans / "a.nii")
    with pytest.raises(OutputError, match=r"a.nii and .*a.nii.gz would share the sidecar a.json; super-resolve them"):
        run_folder(JOB, scans, tmp_path / "out", print)
    assert not (tmp_path / "out").exists()
    check_folder(named_scans([scans / "a.nii"]), tmp_path / "out", [])


def test_patterns_that_no_shell_expanded(folder):
    assert [path.name for path in expanded([folder / "*.nii.gz", folder])] == ["a.nii.gz", "b.nii.gz", "scans"]
    with pytest.raises(VolumeError, match=r"\*\.mha matches no file; check the pattern"):
        expanded([folder / "*.mha"])
