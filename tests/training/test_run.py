"""Training for real, on a small scan: what is learned matters less than that it can be trusted and resumed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from helpers import write_scan

from sr_keras.cli import main
from sr_keras.errors import ConfigurationError, OutputError, StageError, VolumeError
from sr_keras.files import reserved
from sr_keras.models.stages import find_stage
from sr_keras.training.callbacks import TrainingProgress
from sr_keras.training.configuration import parse_configuration, read_configuration
from sr_keras.training.run import resume_training, start_training
from sr_keras.training.run_folder import short_names

TREE = {
    "network": {"family": "georgescu2020", "stage": "hw", "scale": 2},
    "patches": {"height": 16, "width": 16, "batch": 4},
    "training": {
        "epochs": 3,
        "steps_per_epoch": 5,
        "learning_rate": 0.001,
        "final_learning_rate": 0.0001,
        "validation_slices": 2,
    },
}
CONFIGURATION = parse_configuration(TREE)


def rows(run: Path) -> list[dict[str, float]]:
    """Return the log of a run."""
    with (run / "log.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def finished(small_scan, tmp_path_factory):
    """A run that nothing interrupted."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    start_training(CONFIGURATION, [small_scan], [small_scan], run)
    return run


def test_a_run_holds_all_that_is_needed_to_repeat_it(finished, small_scan):
    assert read_configuration(str(finished / "configuration.yaml")) == CONFIGURATION
    description = json.loads((finished / "run.json").read_text())
    assert description["seed"] == 0
    assert set(description["versions"]) == {"sr_keras", "keras", "numpy", "tensorflow"}
    assert list(description["training"]) == [str(small_scan)]
    assert {len(digest) for digest in description["training"].values()} == {64}
    assert list((finished / "tensorboard").rglob("events.*"))
    assert not (finished / "cache").exists()


def test_the_log_has_both_losses_and_the_quality_of_the_final_output(finished):
    log = rows(finished)
    assert [row["epoch"] for row in log] == [0, 1, 2]
    for row in log:
        assert row["loss"] == pytest.approx(row["final_loss"] + row["intermediate_loss"], rel=1e-5)
        assert {"val_final_loss", "val_intermediate_loss", "val_final_psnr", "val_final_ssim"} <= set(row)
    assert log[-1]["loss"] < log[0]["loss"]


def test_the_trained_stage_is_that_of_the_best_epoch(finished):
    stage = find_stage(str(finished))
    assert (stage.card.stage, stage.card.scale, stage.card.receptive_field_radius) == ("hw", 2, (8, 8))
    assert list(stage.card.trained_on) == ["brain.nii.gz"]
    assert stage.card.validated_on == stage.card.trained_on
    assert stage.card.modalities == ["MR"]
    assert (stage.card.parameters, stage.card.macs) == (57_573, 114_336)
    images = np.random.default_rng(0).random((1, 12, 12, 1)).astype(np.float32)
    best = keras.models.clone_model(stage.network)
    best.load_weights(finished / "best.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(stage.network(images)["final"], best(images)["final"])


def test_a_seed_repeats_a_run_and_another_does_not(finished, small_scan, tmp_path):
    start_training(CONFIGURATION, [small_scan], [small_scan], tmp_path / "again")
    assert rows(tmp_path / "again") == rows(finished)
    other = replace(CONFIGURATION, training=replace(CONFIGURATION.training, seed=1, epochs=1))
    start_training(other, [small_scan], [small_scan], tmp_path / "other")
    assert rows(tmp_path / "other")[0]["loss"] != rows(finished)[0]["loss"]


# Kills itself, as the system would, at the nth call of a function of a module.
KILLER = """
import importlib, os, signal
module, name, number = os.environ["KILL_AT"].split()
owner = importlib.import_module(module)
*path, name = name.split(".")
for part in path:
    owner = getattr(owner, part)
original, calls = getattr(owner, name), []
def killing(*arguments, **options):
    calls.append(name)
    if len(calls) == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)
setattr(owner, name, killing)
"""
STEP = "sr_keras.training.callbacks TrainingProgress.on_train_batch_end"


@pytest.fixture
def killed(tmp_path):
    """Run `sr-keras train` with some arguments until it is killed at a moment."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(KILLER)

    def run(moment, *arguments):
        environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"}
        command = [sys.executable, "-m", "sr_keras", "train", *map(str, arguments)]
        done = subprocess.run(
            command, env=environment | {"KILL_AT": moment}, capture_output=True, timeout=300, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr

    return run


def test_killed_at_any_moment_and_resumed_it_is_the_same_run(finished, small_scan, tmp_path, killed):
    run, configuration = tmp_path / "killed", tmp_path / "configuration.yaml"
    configuration.write_text(yaml.safe_dump(TREE))
    new = [configuration, "--data", small_scan, "--validation", small_scan, "-o", run]
    killed("os replace 1", *new)
    assert not run.exists()
    killed(f"{STEP} 3", *new)
    assert not (run / "last.weights.h5").exists()
    # Each epoch renames the times, the best epoch's weights and the last one's into their places.
    killed("os replace 2", "--resume", run)
    killed("os replace 3", "--resume", run)
    assert (run / "best.weights.h5").exists()
    assert not (run / "last.weights.h5").exists()
    killed(f"{STEP} 8", "--resume", run)
    assert len(rows(run)) == 1
    resume_training(run)
    seconds = json.loads((run / "seconds.json").read_text())
    assert len(seconds) == 3
    assert find_stage(str(run)).card.training_seconds == sum(seconds) > 0
    for resumed, uninterrupted in zip(rows(run), rows(finished), strict=True):
        assert resumed == pytest.approx(uninterrupted, abs=1e-6)


def interrupt_at(step, monkeypatch):
    """Let Ctrl-C be pressed after a step, once."""
    original, seen = TrainingProgress.on_train_batch_end, []

    def interrupted(self, batch, logs=None):
        seen.append(batch)
        if len(seen) == step:
            raise KeyboardInterrupt
        original(self, batch, logs)

    monkeypatch.setattr(TrainingProgress, "on_train_batch_end", interrupted)


@pytest.mark.parametrize(
    "options", [{"ema_momentum": 0.9, "loss": "charbonnier"}, {"precision": "mixed_float16", "learning_rate": 0.01}]
)
def test_averages_and_loss_scales_are_resumed_too(small_scan, tmp_path, monkeypatch, options):
    training = replace(CONFIGURATION.training, **options)
    configuration = replace(CONFIGURATION, training=training, network=replace(CONFIGURATION.network, stage="d"))
    start_training(configuration, [small_scan], [small_scan], tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_at(12, patch)
        with pytest.raises(KeyboardInterrupt):
            start_training(configuration, [small_scan], [small_scan], tmp_path / "parts")
    assert len(rows(tmp_path / "parts")) == 2
    resume_training(tmp_path / "parts")
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_a_finished_run_resumes_to_itself(finished):
    before = rows(finished)
    resume_training(finished)
    assert rows(finished) == before


def test_weight_zero_on_the_intermediate_output_is_the_ablation(small_scan, tmp_path):
    training = replace(CONFIGURATION.training, intermediate_weight=0.0, epochs=1)
    start_training(replace(CONFIGURATION, training=training), [small_scan], [small_scan], tmp_path / "ablation")
    (row,) = rows(tmp_path / "ablation")
    assert row["loss"] == pytest.approx(row["final_loss"], rel=1e-6)
    assert row["intermediate_loss"] > 0


@pytest.mark.parametrize("options", [{"loss": "l2"}, {"precision": "mixed_bfloat16"}])
def test_other_losses_and_precisions_train_the_d_stage(small_scan, tmp_path, options):
    training = replace(CONFIGURATION.training, epochs=1, **options)
    network = replace(CONFIGURATION.network, stage="d")
    configuration = replace(CONFIGURATION, network=network, training=training)
    card = start_training(configuration, [small_scan], [small_scan], tmp_path / "run")
    assert find_stage(str(card)).card.stage == "d"
    assert np.isfinite(rows(tmp_path / "run")[0]["loss"])


def test_two_devices_share_a_batch_and_agree_with_one(finished, small_scan, tmp_path):
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(TREE))
    program = (
        "import tensorflow as tf, pathlib\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "from sr_keras.training.configuration import read_configuration\n"
        "from sr_keras.training.run import compiled_network, start_training\n"
        f"configuration = read_configuration({str(tmp_path / 'two.yaml')!r})\n"
        "print(compiled_network(configuration).distribute_strategy.num_replicas_in_sync)\n"
        f"scans = [pathlib.Path({str(small_scan)!r})]\n"
        f"start_training(configuration, scans, scans, pathlib.Path({str(tmp_path / 'two')!r}))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == "2"
    # The sums run in another order, so the last digits differ.
    for shared, alone in zip(rows(tmp_path / "two"), rows(finished), strict=True):
        assert shared == pytest.approx(alone, rel=1e-4)


def test_a_loss_that_explodes_is_said_and_not_kept(small_scan, tmp_path):
    training = replace(CONFIGURATION.training, learning_rate=1e30, final_learning_rate=1e30, loss="l2")
    with pytest.raises(
        ConfigurationError, match=r"run became NaN; start a new run with a lower training.learning_rate"
    ):
        start_training(replace(CONFIGURATION, training=training), [small_scan], [small_scan], tmp_path / "run")
    assert not (tmp_path / "run" / "last.weights.h5").exists()


def test_runs_that_cannot_begin_leave_nothing(small_scan, tmp_path):
    with pytest.raises(OutputError, match=r"exists; choose a new folder, or continue the run in it with --resume"):
        start_training(CONFIGURATION, [small_scan], [small_scan], tmp_path)
    with pytest.raises(ConfigurationError, match="^1 training and 0 validation scans; give at least one of each"):
        start_training(CONFIGURATION, [small_scan], [], tmp_path / "new")
    with pytest.raises(VolumeError, match=r"none.nii cannot be read: No such file or directory"):
        start_training(CONFIGURATION, [tmp_path / "none.nii"], [small_scan], tmp_path / "new")
    large = replace(CONFIGURATION, patches=replace(CONFIGURATION.patches, height=64, width=64))
    with pytest.raises(
        ConfigurationError, match="brain.nii.gz holds patches of at most 48x40 voxels, not of 64x64; leave it out"
    ):
        start_training(large, [small_scan], [small_scan], tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stage", "shape", "message"),
    [
        ("hw", (32, 6, 9), "small.nii has slices of 32x6 voxels for validation, where 7x7 are needed"),
        ("hw", (7, 32, 9), "small.nii has slices of 6x32 voxels"),
        ("d", (32, 20, 7), "small.nii has slices of 20x6 voxels"),
        ("d", (6, 32, 9), "small.nii has slices of 6x8 voxels"),
    ],
)
def test_validation_scans_that_are_too_small_are_refused(small_scan, tmp_path, stage, shape, message):
    small = write_scan(tmp_path / "small.nii", np.ones(shape, np.float32))
    configuration = replace(CONFIGURATION, network=replace(CONFIGURATION.network, stage=stage))
    with pytest.raises(ConfigurationError, match=message):
        start_training(configuration, [small_scan], [small], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_validation_scan_needs_tissue_where_its_slices_lie(small_scan, tmp_path):
    voxels = np.zeros((64, 64, 80), np.float32)
    voxels[:, :, 40] = np.random.default_rng(0).uniform(50, 100, (64, 64))
    flat = write_scan(tmp_path / "flat.nii", voxels)
    configuration = replace(CONFIGURATION, network=replace(CONFIGURATION.network, stage="d"))
    with pytest.raises(ConfigurationError, match="flat.nii shows too little tissue to validate on; leave it out"):
        start_training(configuration, [small_scan], [flat], tmp_path / "run")


def test_the_smallest_validation_scan_is_trained_with(small_scan, tmp_path):
    voxels = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    smallest = write_scan(tmp_path / "smallest.nii", voxels)
    training = replace(CONFIGURATION.training, epochs=1, steps_per_epoch=1)
    start_training(replace(CONFIGURATION, training=training), [small_scan], [smallest], tmp_path / "run")
    assert np.isfinite(rows(tmp_path / "run")[0]["val_final_ssim"])


def test_a_run_that_another_process_trains_is_refused(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    with reserved(run), pytest.raises(OutputError, match="run is being written by another run; wait for it"):
        resume_training(run)
    assert resume_training(run) == run / "stage.json"


def test_an_unknown_configuration_is_a_mistake_in_the_call(tmp_path):
    arguments = ["train", "no_such", "--data", "a.nii", "--validation", "b.nii", "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "no_such is no file; give a YAML file or one of " in result.output) == (2, True)


def test_runs_that_cannot_be_resumed(finished, small_scan, tmp_path):
    with pytest.raises(ConfigurationError, match="has no configuration.yaml and run.json; give the folder of a run"):
        resume_training(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("configuration.yaml", "run.json"):
        (copy / name).write_bytes((finished / name).read_bytes())
    (copy / "last.weights.h5").write_bytes(b"damaged")
    with pytest.raises(StageError, match="last.weights.h5 is damaged or of another configuration; start a new run"):
        resume_training(copy)
    text = (copy / "configuration.yaml").read_text()
    (copy / "configuration.yaml").write_text(text.replace("epochs: 3", "epochs: 30"))
    with pytest.raises(ConfigurationError, match="configuration.yaml has changed since the run began"):
        resume_training(copy)
    (copy / "configuration.yaml").write_text(text)
    description = json.loads((copy / "run.json").read_text())
    description["training"] = {str(small_scan): "0" * 64}
    (copy / "run.json").write_text(json.dumps(description))
    with pytest.raises(ConfigurationError, match="brain.nii.gz is gone or has changed since the run began"):
        resume_training(copy)
    (copy / "run.json").write_text("{")
    with pytest.raises(ConfigurationError, match="run.json is damaged or of another version"):
        resume_training(copy)


def test_a_run_of_relative_paths_is_resumed_from_another_folder(small_scan, tmp_path, monkeypatch):
    monkeypatch.chdir(small_scan.parent)
    training = replace(CONFIGURATION.training, epochs=1, steps_per_epoch=1)
    start_training(replace(CONFIGURATION, training=training), [small_scan.name], [small_scan.name], tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    resume_training("run")


def test_scans_of_one_name_are_told_apart_by_their_folders():
    assert short_names({"/x/a/ct.nii": "1", "/x/b/ct.nii": "2"}) == {"a/ct.nii": "1", "b/ct.nii": "2"}
    assert short_names({"/x/a/ct.nii": "1", "/x/b/mr.nii": "2"}) == {"ct.nii": "1", "mr.nii": "2"}


@pytest.mark.parametrize("stage", ["hw", "d"])
def test_a_conditional_run_gives_a_stage_that_is_folded(stage, small_scan, tmp_path):
    tree = {
        **TREE,
        "network": {"family": "fast", "stage": stage, "scale": 2},
        "training": {**TREE["training"], "gradient_norm": 0.2, "loss": "psnr" if stage == "d" else "l1"},
        "acquisition": {"mixture": "scanners", "groups": 2, "window": 4, "bases": 2},
    }
    card = start_training(parse_configuration(tree), [small_scan], [small_scan], tmp_path / "run")
    trained = find_stage(str(card))
    assert len(trained.card.description) == (17 if stage == "hw" else 10)
    assert set(trained.network.output) == {"intermediate", "final"}
    image = np.random.default_rng(0).random((1, 12, 12, 1), np.float32)
    assert trained.network(image)["final"].shape == ((1, 24, 24, 1) if stage == "hw" else (1, 12, 24, 1))


@pytest.mark.slow
def test_a_conditional_run_goes_on_with_the_batches_it_would_have_seen(small_scan, tmp_path):
    tree = {
        **TREE,
        "network": {"family": "fast", "stage": "hw", "scale": 2},
        "acquisition": {"mixture": "scanners", "groups": 2, "window": 4, "steps_per_group": 2, "bases": 2},
    }
    start_training(parse_configuration(tree), [small_scan], [small_scan], tmp_path / "whole")
    script = (
        "import sys, os; from pathlib import Path;"
        "from sr_keras.training.configuration import read_configuration;"
        "from sr_keras.training.callbacks import Checkpoints; end = Checkpoints.on_epoch_end;"
        "Checkpoints.on_epoch_end = lambda self, epoch, logs=None: (end(self, epoch, logs), epoch or os._exit(9));"
        "from sr_keras.training.run import start_training;"
        "start_training(read_configuration(sys.argv[1]), [Path(sys.argv[2])], [Path(sys.argv[2])], Path(sys.argv[3]))"
    )
    configuration, half = tmp_path / "whole" / "configuration.yaml", tmp_path / "half"
    copy = tmp_path / "configuration.yaml"
    copy.write_text(configuration.read_text())
    process = subprocess.run([sys.executable, "-c", script, str(copy), str(small_scan), str(half)], check=False)
    assert process.returncode == 9
    resume_training(half)
    for one, other in zip(rows(half), rows(tmp_path / "whole"), strict=True):
        # NumPy's products round by where arrays lie in memory.
        assert one == pytest.approx(other, rel=1e-4)
