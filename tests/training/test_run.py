"""Training for real, on a small scan: what is learned matters less than that it can be trusted and resumed."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from sr_keras.errors import ConfigurationError, OutputError, StageError
from sr_keras.models.stages import find_stage
from sr_keras.training.configuration import parse_configuration, read_configuration
from sr_keras.training.run import charbonnier, resume_training, start_training

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


def test_killed_in_the_middle_of_an_epoch_and_resumed_it_is_the_same_run(finished, small_scan, tmp_path):
    run, configuration = tmp_path / "killed", tmp_path / "configuration.yaml"
    configuration.write_text(yaml.safe_dump(TREE))
    command = [sys.executable, "-m", "sr_keras", "train"]
    arguments = [str(configuration), "--data", str(small_scan), "--validation", str(small_scan), "-o", str(run)]
    # With a breakpoint in the middle of the second epoch: the process kills itself there as the system would.
    environment = os.environ | {"PYTHONPATH": str(write_killer(tmp_path, step=8))}
    killed = subprocess.run([*command, *arguments], env=environment, capture_output=True, timeout=300, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(rows(run)) == 1
    subprocess.run([*command, "--resume", str(run)], capture_output=True, timeout=300, check=True)
    seconds = json.loads((run / "seconds.json").read_text())
    assert len(seconds) == 3
    assert find_stage(str(run)).card.training_seconds == sum(seconds) > 0
    for resumed, uninterrupted in zip(rows(run), rows(finished), strict=True):
        assert resumed == pytest.approx(uninterrupted, abs=1e-6)


def write_killer(folder: Path, step: int) -> Path:
    """Write a sitecustomize module that kills the process after a step of training."""
    (folder / "sitecustomize.py").write_text(
        "import os, signal, sr_keras.training.callbacks as callbacks\n"
        "seen = []\n"
        "move = callbacks.TrainingProgress.on_train_batch_end\n"
        "def killing(self, batch, logs=None):\n"
        "    seen.append(batch)\n"
        f"    os.kill(os.getpid(), signal.SIGKILL) if len(seen) == {step} else move(self, batch, logs)\n"
        "callbacks.TrainingProgress.on_train_batch_end = killing\n"
    )
    return folder


def test_charbonnier_is_an_l1_that_is_smooth_at_zero():
    ground_truth = np.zeros((1, 1, 3, 1), np.float32)
    predicted = np.array([0.0, 0.001, 0.3], np.float32).reshape(ground_truth.shape)
    # sqrt(difference^2 + 0.001^2), by hand.
    np.testing.assert_allclose(
        np.ravel(charbonnier(ground_truth, predicted)), [0.001, 0.00141421, 0.30000167], rtol=1e-5
    )


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
        ConfigurationError, match=r"The loss must stay finite. Received: NaN, .* training.learning_rate"
    ):
        start_training(replace(CONFIGURATION, training=training), [small_scan], [small_scan], tmp_path / "run")
    assert not (tmp_path / "run" / "last.weights.h5").exists()


def test_runs_that_cannot_begin(small_scan, tmp_path):
    with pytest.raises(OutputError, match=r"A new run needs a new folder. Received: .*, which exists."):
        start_training(CONFIGURATION, [small_scan], [small_scan], tmp_path)
    with pytest.raises(ConfigurationError, match="others to validate on. Received: 1 and 0"):
        start_training(CONFIGURATION, [small_scan], [], tmp_path / "new")
    large = replace(CONFIGURATION, patches=replace(CONFIGURATION.patches, height=64, width=64))
    with pytest.raises(
        ConfigurationError, match="whole patch of 64x64 voxels. Received: .*brain.nii.gz, which holds 48x40"
    ):
        start_training(large, [small_scan], [small_scan], tmp_path / "large")


def test_runs_that_cannot_be_resumed(finished, small_scan, tmp_path):
    with pytest.raises(ConfigurationError, match="Only a run's folder can be resumed"):
        resume_training(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("configuration.yaml", "run.json"):
        (copy / name).write_bytes((finished / name).read_bytes())
    (copy / "last.weights.h5").write_bytes(b"damaged")
    with pytest.raises(StageError, match="must belong to its run's configuration. Received: .*last.weights.h5"):
        resume_training(copy)
    description = json.loads((copy / "run.json").read_text())
    description["training"] = {str(small_scan): "0" * 64}
    (copy / "run.json").write_text(json.dumps(description))
    with pytest.raises(ConfigurationError, match="the scans it began with. Received: .*brain.nii.gz, which is gone or"):
        resume_training(copy)
