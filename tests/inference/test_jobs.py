import hashlib
import json
import resource
import shutil
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from sr_keras.engines import KerasEngine, load_engine
from sr_keras.errors import OutputError, VolumeError
from sr_keras.inference.budget import plan_within_budget
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.labels import LabelPair
from sr_keras.inference.maps import Maps
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages

JOB = PredictionJob(
    Upscaler([KerasEngine(stage) for stage in choose_stages(shipped_stages(), "georgescu2020").values()]),
    factors=(2, 2, 1),
)


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
    write_volume(upscaler.upscale(volume, factors, slice_axis=axis), tmp_path / f"whole_{name}", like=volume)
    told = []
    job = PredictionJob(upscaler, factors=factors, slice_axis=axis)
    written = job.run(small_scan, tmp_path / name, lambda *news: told.append(news))
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole_{name}").read_bytes()
    assert written == read_volume(tmp_path / name).summary
    assert told[-1][1] == pytest.approx(told[-1][2])
    assert {path.name for path in tmp_path.iterdir()} == {name, "out.json", f"whole_{name}"}


@pytest.mark.parametrize("axis", [0, 2])
def test_little_memory_gives_the_same_file_by_way_of_the_disk(small_scan, tmp_path, monkeypatch, axis):
    upscaler = Upscaler([load_engine(name, "onnx") for name in choose_stages(shipped_stages())])
    job = PredictionJob(upscaler, slice_axis=axis, dtype="uint16")
    job.run(small_scan, tmp_path / "memory.nii")
    plans = []

    def least_plan(*job_and_budget):
        *job, budget, cost_model = job_and_budget
        for memory in range(0, 10**9, 10**5):
            try:
                plans.append(plan_within_budget(*job, replace(budget, memory=memory, resident=0), cost_model))
            except VolumeError:
                continue
            return plans[-1]
        return None

    monkeypatch.setattr("sr_keras.inference.upscaler.plan_within_budget", least_plan)
    job.run(small_scan, tmp_path / "disk.nii")
    assert (plans[-1].between, plans[-1].output_buffer) == ("disk", "nowhere" if axis == 2 else "disk")
    assert (tmp_path / "disk.nii").read_bytes() == (tmp_path / "memory.nii").read_bytes()


def test_the_sidecar_says_how_a_file_was_made(small_scan, tmp_path):
    shutil.copy(small_scan, tmp_path / "brain.nii.gz")
    summary = JOB.run(str(tmp_path / "brain.nii.gz"), str(tmp_path / "out.nii.gz"))
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["Sources"] == ["brain.nii.gz"]
    assert record["GeneratedBy"][0]["Name"] == "sr_keras"
    assert record["Resolution"] == summary
    ours = record["sr_keras"]
    assert ours["input_sha256"] == hashlib.sha256(small_scan.read_bytes()).hexdigest()
    assert ours["output_bytes"] == (tmp_path / "out.nii.gz").stat().st_size
    assert list(ours["models"]) == ["georgescu2020_hw_x2"]
    assert (ours["request"]["factors"], ours["slice_axis"], ours["steps"]) == ([2, 2, 1], 2, ["hw x2 on ij"])


def test_a_sidecar_of_somebody_else_is_not_replaced(small_scan, tmp_path):
    (tmp_path / "out.json").write_text('{"EchoTime": 0.03}')
    with pytest.raises(OutputError, match=r"out.json, which would say how the output was made, exists; use --force"):
        JOB.run(small_scan, tmp_path / "out.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    replace(JOB, force=True).run(small_scan, tmp_path / "out.nii")
    assert "sr_keras" in json.loads((tmp_path / "out.json").read_text())


def test_the_scan_itself_is_never_replaced(small_scan, tmp_path):
    shutil.copy(small_scan, tmp_path / "brain.nii.gz")
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "brain.nii.gz")
    before = (tmp_path / "brain.nii.gz").read_bytes()
    for name in ("brain.nii.gz", "link.nii.gz"):
        with pytest.raises(OutputError, match=f"{name} is the input itself; choose another output"):
            replace(JOB, force=True).run(tmp_path / "brain.nii.gz", tmp_path / name)
    assert (tmp_path / "brain.nii.gz").read_bytes() == before


OTHERS = {
    "segmentation over the scan": ("out.nii.gz", {"labels": ("seg.nii.gz", "scan.hdr")}, "scan.hdr"),
    "segmentation over itself": ("out.nii.gz", {"labels": ("seg.nii.gz", "seg.nii.gz")}, "seg.nii.gz"),
    "result over a segmentation": ("seg.nii.gz", {"labels": ("seg.nii.gz", "seg2.nii.gz")}, "seg.nii.gz"),
    "result over the grid": ("seg.nii.gz", {"like": "seg.nii.gz"}, "seg.nii.gz"),
    "result over the other file of the scan": ("scan.img", {}, "scan.img"),
    "result over the sidecar of the scan": ("scan.nii.gz", {}, "scan.json"),
    "map over the scan": ("out.nii.gz", {"maps": "seg_link.nii.gz"}, "seg_link.nii.gz"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_no_file_that_is_read_is_ever_replaced(small_scan, tmp_path, case):
    output, options, named = OTHERS[case]
    image = nibabel.load(small_scan)
    nibabel.save(nibabel.Nifti1Pair(np.asarray(image.dataobj), image.affine), tmp_path / "scan.hdr")
    (tmp_path / "scan.json").write_text('{"EchoTime": 0.03}')
    nibabel.save(nibabel.Nifti1Image((image.get_fdata() > 300).astype(np.uint8), image.affine), tmp_path / "seg.nii.gz")
    (tmp_path / "seg_link.nii.gz").symlink_to(tmp_path / "scan.img")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    source, result = options.get("labels", ("", ""))
    job = replace(
        JOB,
        force=True,
        labels=(LabelPair(tmp_path / source, tmp_path / result),) if source else (),
        like=tmp_path / options["like"] if "like" in options else None,
        maps=Maps(residual=tmp_path / options["maps"]) if "maps" in options else Maps(),
    )
    with pytest.raises(OutputError, match=f"{named} is the input itself; choose another output"):
        job.run(tmp_path / "scan.hdr", tmp_path / output)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_sidecar_is_json_whatever_lies_beside_the_scan(small_scan, tmp_path):
    shutil.copy(small_scan, tmp_path / "scan.nii.gz")
    (tmp_path / "scan.json").write_text('{"EchoTime": NaN, "InversionTime": 0.9}')
    infinite = {"Least": float("-inf"), "Several": [1.0, float("nan")]}
    JOB.run(tmp_path / "scan.nii.gz", tmp_path / "out.nii", record=infinite)
    text = (tmp_path / "out.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    record = json.loads(text)
    assert record["InversionTime"] == 0.9
    assert (record["Least"], record["Several"]) == (None, [1.0, None])


def test_the_sidecar_of_an_earlier_result_is_replaced(small_scan, tmp_path):
    JOB.run(small_scan, tmp_path / "a.nii.gz")
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises(OutputError, match=r"a.json says how a.nii.gz was made; choose another name, or use --force"):
        JOB.run(tmp_path / "a.nii.gz", tmp_path / "a.nii")
    assert (tmp_path / "a.json").read_bytes() == before
    replace(JOB, force=True).run(tmp_path / "a.nii.gz", tmp_path / "a.nii")
    assert json.loads((tmp_path / "a.json").read_text())["Sources"] == ["a.nii.gz"]
    # What no image lies beside any more is in nobody's way.
    (tmp_path / "a.nii.gz").unlink()
    (tmp_path / "a.nii").unlink()
    JOB.run(small_scan, tmp_path / "a.nii")
    assert json.loads((tmp_path / "a.json").read_text())["Sources"] == [small_scan.name]


def test_a_file_whose_length_is_known_is_refused_where_it_does_not_fit(small_scan, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # 96x80x24 voxels of two bytes, and the header.
    resource.setrlimit(resource.RLIMIT_FSIZE, (368_000, limit[1]))
    try:
        for run in (JOB.run, JOB.prepare):
            with pytest.raises(
                OutputError, match=r"out\.nii may take 368\.6 kB, but there is room for 368\.0 kB\. Free"
            ):
                run(small_scan, tmp_path / "out.nii")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_appears_meanwhile_is_kept(small_scan, tmp_path):
    def appear(*_):
        (tmp_path / "out.nii").write_text("theirs")

    with pytest.raises(OutputError, match=r"out.nii exists; use --force to overwrite"):
        JOB.run(small_scan, tmp_path / "out.nii", progress=appear)
    assert (tmp_path / "out.nii").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["out.nii"]
