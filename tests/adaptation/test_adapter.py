"""`predict --adapt` and `sr-keras adapt`, from files to files."""

import json

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

from sr_keras.adaptation.adapter import ScanAdapter, stage_of
from sr_keras.adaptation.adapting import Settings, adapt
from sr_keras.adaptation.stage import save_adapted
from sr_keras.cli import main
from sr_keras.engines import KerasEngine, load_engine
from sr_keras.errors import OutputBusyError, OutputError, StageError
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.export.request import Request
from sr_keras.files import reserved
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.stages import find_stage


def run(*arguments, expect=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture(scope="module")
def adapted(thick_file, tmp_path_factory):
    """The folder of a stage that `sr-keras adapt` made."""
    folder = tmp_path_factory.mktemp("adapted") / "stage"
    result = run("adapt", thick_file, "-o", folder, "--model", "fast_d_x4", "--adapt-steps", 15, "--slice-thickness", 2)
    assert ": adapted: +" in result.stdout
    return folder


@pytest.fixture(scope="module")
def exported(adapted, tmp_path_factory):
    """That stage as an ONNX file."""
    folder = tmp_path_factory.mktemp("exported")
    run("export", adapted, "-o", folder, "--format", "onnx")
    (path,) = folder.glob("*.onnx")
    return path


def test_predict_adapts_saves_and_says_so(thick_file, tmp_path):
    out, saved = tmp_path / "out.nii.gz", tmp_path / "saved"
    options = ("--scale", "1x1x2", "--model", "fast_d_x4", "--adapt", "--adapt-steps", 15, "--save-adapted", saved)
    result = run("predict", thick_file, "-o", out, *options)
    assert "72x80x96 voxels of 1.14583x1.14583x1 mm, MR, adapted: +" in result.stdout
    record = json.loads((tmp_path / "out.json").read_text())["sr_keras"]
    assert record["adaptation"]["scans"]["1"]["thickness_from"] == "estimated from the scan"
    assert record["request"]["adapt"] == {"steps": 15, "slice_thickness_mm": None, "profile": None, "seed": 0}
    # What is kept makes the same result.
    run("predict", thick_file, "-o", tmp_path / "again.nii.gz", "--scale", "1x1x2", "--model", saved)
    one, other = (nibabel.load(path).get_fdata() for path in (out, tmp_path / "again.nii.gz"))
    assert np.abs(one - other).max() <= 1


def test_a_factor_that_no_stage_ships_for(thick_file, tmp_path):
    result = run("predict", thick_file, "-o", tmp_path / "x3.nii.gz", "--scale", "1x1x3", "--adapt", "--adapt-steps", 3)
    assert "72x80x144 voxels" in result.stdout
    assert json.loads((tmp_path / "x3.json").read_text())["sr_keras"]["steps"] == ["d x3 on k"]


def test_a_stage_that_another_run_kept_meanwhile_stays(adapted):
    before = {path.name: path.read_bytes() for path in adapted.iterdir()}
    with pytest.raises(OutputError, match=r"stage.json exists; use --force to overwrite\.$"):
        save_adapted(find_stage(adapted), adapted, force=False)
    with reserved(adapted / "stage"), pytest.raises(OutputBusyError, match="is being written by another run"):
        save_adapted(find_stage(adapted), adapted)
    assert {path.name: path.read_bytes() for path in adapted.iterdir()} == before


def test_a_kept_stage_is_a_stage_like_any_other(adapted, exported, thick):
    stage = find_stage(adapted)
    assert stage.card.trained_on["thick.nii.gz"]
    assert stage.card.macs > 0
    images = np.random.default_rng(0).random((1, 24, 20), np.float32)
    np.testing.assert_allclose(load_engine(exported).run(images), KerasEngine(stage).run(images), atol=2e-6)
    half = Request(stage, "fp16", shipped_reference_slices()).model("float16")
    made = np.asarray(half(images[..., None])["final"])[..., 0]
    assert 0 < np.abs(made - KerasEngine(stage).run(images)).max() < 5e-3
    again = adapt(stage, [(thick, 2)], 2, Settings(steps=2))
    assert again.record["weights_sha256"] == stage.card.weights_sha256


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--scale", "2x2x1", "--adapt"), 1, "No d stage upsamples the through-plane axis, k"),
        (("--scale", "6x6x3", "--adapt"), 1, "x3 along i has no stage, and only the through-plane axis, k"),
        (("--adapt-steps", 5), 2, "--adapt-steps is for --adapt"),
        (("--slice-thickness", 5), 2, "--slice-thickness is for --adapt"),
        (("--save-adapted", "x"), 2, "--save-adapted is for --adapt"),
    ],
)
def test_what_cannot_be_adapted_is_refused(thick_file, tmp_path, options, code, text):
    result = run("predict", thick_file, "-o", tmp_path / "out.nii.gz", *options, expect=code)
    assert text in result.stderr
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_stage_that_exists_is_not_replaced_and_an_hw_stage_is_not_adapted(adapted, thick_file, tmp_path):
    assert "stage.json exists; use --force" in run("adapt", thick_file, "-o", adapted, expect=1).stderr
    hw = run("adapt", thick_file, "-o", tmp_path / "hw", "--model", "fast_hw_x2", expect=1)
    assert "fast_hw_x2 is no d stage" in hw.stderr


def test_an_exported_file_is_no_start(exported):
    with pytest.raises(StageError, match="no trained stage to start from"):
        stage_of(load_engine(exported))


def test_an_upscaler_without_an_adapter_leaves_its_job_as_it_is(thick):
    upscaler = Upscaler([load_engine("fast_d_x2")])
    job = upscaler.prepare(thick, (1, 1, 2))
    assert upscaler.adapted(job) is job
    assert ScanAdapter().engines(upscaler.engines)[0] is upscaler.engines[0]
