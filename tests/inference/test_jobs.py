import shutil
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from sr_keras.engines import KerasEngine, load_engine
from sr_keras.errors import OutputError, VolumeError
from sr_keras.inference.budget import plan_within_budget
from sr_keras.inference.jobs import PredictionJob, Summary, find_scans, run_folder
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


def test_a_scan_becomes_a_larger_one_of_the_same_kind(small_scan, tmp_path):
    JOB.run(small_scan, tmp_path / "out.nii.gz")
    before, after = nibabel.load(small_scan), nibabel.load(tmp_path / "out.nii.gz")
    assert after.shape == (96, 80, 24)
    assert after.get_data_dtype() == before.get_data_dtype() == np.int16
    assert nibabel.aff2axcodes(after.affine) == nibabel.aff2axcodes(before.affine)
    means = np.asarray(after.dataobj).reshape(48, 2, 40, 2, 24).mean(axis=(1, 3))
    assert np.abs(means - np.asarray(before.dataobj)).mean() < 0.02 * np.asarray(before.dataobj).max()


@pytest.mark.parametrize("factors", [(2, 2, 2), (2, 2, 1), (1, 1, 2)])
@pytest.mark.parametrize("axis", [2, 0])
@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
def test_the_streamed_file_is_that_of_the_whole_volume_byte_for_byte(small_scan, tmp_path, factors, axis, name):
    upscaler = Upscaler([load_engine(name, "onnx") for name in choose_stages(shipped_stages())])
    volume = read_volume(small_scan)
    if axis == 0:
        factors = factors[::-1]
    write_volume(upscaler.enlarge(volume, factors, slice_axis=axis), tmp_path / f"whole_{name}", like=volume)
    told = []
    job = PredictionJob(upscaler, factors=factors, slice_axis=axis)
    written = job.run(small_scan, tmp_path / name, lambda *news: told.append(news))
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole_{name}").read_bytes()
    assert written == read_volume(tmp_path / name).summary
    assert told[-1][1] == pytest.approx(told[-1][2])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("axis", [0, 2])
def test_little_memory_gives_the_same_file_by_way_of_the_disk(small_scan, tmp_path, monkeypatch, axis):
    upscaler = Upscaler([load_engine(name, "onnx") for name in choose_stages(shipped_stages())])
    job = PredictionJob(upscaler, slice_axis=axis, dtype="uint16")
    job.run(small_scan, tmp_path / "memory.nii")
    plans = []

    def least_plan(*arguments, budget, **options):
        for memory in range(0, 10**9, 10**5):
            try:
                plans.append(
                    plan_within_budget(*arguments, budget=replace(budget, memory=memory, resident=0), **options)
                )
            except VolumeError:
                continue
            return plans[-1]
        return None

    monkeypatch.setattr("sr_keras.inference.upscaler.plan_within_budget", least_plan)
    job.run(small_scan, tmp_path / "disk.nii")
    assert (plans[-1].between, plans[-1].kept) == ("disk", "nowhere" if axis == 2 else "disk")
    assert (tmp_path / "disk.nii").read_bytes() == (tmp_path / "memory.nii").read_bytes()


def test_a_folder_goes_on_after_a_failure_and_skips_what_is_done(folder, tmp_path):
    out, told = tmp_path / "out", []
    assert run_folder(JOB, folder, out, told.append) == Summary(done=2, skipped=0, failed=1)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.nii.gz")) == ["a.nii.gz", "sub/c.nii.gz"]
    assert told[0] == "a.nii.gz: done"
    assert told[1].startswith("b.nii.gz: failed: ")
    assert "truncated or corrupt" in told[1]
    assert run_folder(JOB, folder, out, told.append) == Summary(done=0, skipped=2, failed=1)


def test_a_folder_names_the_scan_that_a_notice_is_about(small_scan, tmp_path):
    scans, told = tmp_path / "scans", []
    scans.mkdir()
    shutil.copy(small_scan, scans / "a.nii.gz")
    job = replace(JOB, upscaler=replace(JOB.upscaler, data_consistency=True))
    run_folder(job, scans, tmp_path / "out", lambda _: None, notice=told.append)
    assert [text.split(" by ")[0] for text in told][:1] == [
        "a.nii.gz: Reduced again, the result differed from the scan"
    ]


def test_folders_that_cannot_be(folder, tmp_path):
    with pytest.raises(OutputError, match="must be a folder apart from the scans. Received: .*inside"):
        run_folder(JOB, folder, folder / "inside", print)
    with pytest.raises(VolumeError, match=r"must be .nii or .nii.gz files, or a folder of them. Received: .*nowhere"):
        run_folder(JOB, tmp_path / "nowhere", tmp_path / "out", print)


def test_find_scans_sorts_within_folders(folder, small_scan):
    names = [path.name for path in find_scans([small_scan, folder])]
    assert names == ["brain.nii.gz", "a.nii.gz", "b.nii.gz", "c.nii.gz"]
