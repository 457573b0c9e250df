"""Train one stage: from scans and a configuration to a run's folder with a trained stage in it."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from sr_keras.errors import ConfigurationError, OutputError
from sr_keras.files import atomic_write, make_folder, reserved
from sr_keras.models.cards import StageCard, weights_path, write_card
from sr_keras.models.complexity import network_macs, parameters
from sr_keras.models.stages import find_stage, save_stage
from sr_keras.networks import build_network, family_named
from sr_keras.training.callbacks import Checkpoints, EpochTimes, TrainingProgress, restore_checkpoint, rewind_log
from sr_keras.training.configuration import Configuration
from sr_keras.training.losses import loss_named, psnr, ssim
from sr_keras.training.run_folder import RunFolder, describe, short_names
from sr_keras.training.start import find_start, start_as
from sr_keras.training.tasks import Task, load_task


def start_training(
    configuration: Configuration,
    training: Sequence[str | os.PathLike[str]],
    validation: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
) -> Path:
    """Train a stage in a new folder, which appears once every scan has been read and checked.

    Args:
        configuration: what to train and how.
        training: NIfTI files to learn from.
        validation: NIfTI files to choose the best epoch by.
        folder: the run's folder; it must not exist.

    Returns:
        The path of the trained stage's card.

    Raises:
        ConfigurationError: no scans, or one too small for the patches.
        OutputError: the folder exists, or cannot be made.
        VolumeError: a scan cannot be used.

    Example:
        >>> from sr_keras import read_configuration
        >>> configuration = read_configuration("fast_hw_x2")
        >>> card = start_training(configuration, ["a.nii.gz"], ["b.nii.gz"], "runs/a")  # doctest: +SKIP
        >>> card  # doctest: +SKIP
        PosixPath('runs/a/stage.json')
    """
    run = RunFolder(Path(folder))
    if run.folder.exists():
        raise OutputError(f"{folder} exists; choose a new folder, or continue the run in it with --resume.")
    if not (training and validation):
        raise ConfigurationError(
            f"{len(training)} training and {len(validation)} validation scans; give at least one of each."
        )
    start = find_start(configuration)
    description = describe(configuration, training, validation)
    make_folder(run.folder.absolute().parent)
    with atomic_write(run.folder) as temporary:
        new = RunFolder(temporary)
        new.create(configuration, description)
        if start:
            shutil.copyfile(start.weights, weights_path(new.start.with_suffix(""), start.card))
            write_card(start.card, new.start)
        _load(new, configuration, description)
    return _train(run, configuration, description)


def resume_training(folder: str | os.PathLike[str]) -> Path:
    """Continue an interrupted run, exactly as if it had not been interrupted.

    Args:
        folder: of a run that `start_training` began.

    Returns:
        The path of the trained stage's card.

    Raises:
        ConfigurationError: the folder is not a run's, or its configuration or a scan is not what it was.
        OutputError: another process trains in it.
        StageError: the checkpoint is damaged.

    Example:
        >>> resume_training("runs/a")  # doctest: +SKIP
        PosixPath('runs/a/stage.json')
    """
    run = RunFolder(Path(folder))
    return _train(run, *run.read())


def compiled_network(configuration: Configuration, build: Callable[[], Any] | None = None) -> Any:
    """Return the untrained network, compiled with a weighted loss for each output, on all GPUs of this machine.

    Args:
        configuration: what to train and how.
        build: returns the untrained network; None builds that of the configuration's family.
    """
    network, training = configuration.network, configuration.training
    keras.utils.set_random_seed(training.seed)
    with _strategy().scope():
        model = build() if build else build_network(network.family, network.stage, network.scale, training.precision)
        return compiled(model, configuration)


def compiled(model: Any, configuration: Configuration) -> Any:
    """Compile a network as a configuration says.

    Args:
        model: a Keras model with the outputs `intermediate` and `final`.
        configuration: its optimizer and losses.

    Returns:
        The same model.
    """
    training, acquisition = configuration.training, configuration.acquisition
    loss = loss_named(training.loss, acquisition.groups if acquisition.mixture != "none" else 0)
    model.compile(
        optimizer=_optimizer(configuration),
        loss=dict.fromkeys(("intermediate", "final"), loss),
        loss_weights={"intermediate": training.intermediate_weight, "final": 1.0},
        metrics={"final": [psnr, ssim]},
    )
    return model


def _load(run: RunFolder, configuration: Configuration, description: dict[str, Any]) -> Task:
    training, validation = ([Path(name) for name in description[part]] for part in ("training", "validation"))
    return load_task(configuration, training, validation, run.cache)


def _train(run: RunFolder, configuration: Configuration, description: dict[str, Any]) -> Path:
    # Two processes in one folder would each take the other's checkpoints for its own.
    with reserved(run.folder.absolute()), ExitStack() as stack:
        tf.config.experimental.enable_op_determinism()
        task = stack.enter_context(closing(_load(run, configuration, description)))
        model = compiled_network(configuration, task.build)
        start = find_stage(run.start) if run.start.exists() else None
        if start:
            start_as(model, start, configuration)
        times = EpochTimes(run.seconds, restore_checkpoint(model, run.last))
        task.resume(model, times.epochs_done * configuration.training.steps_per_epoch)
        _fit(model, run, configuration, task, times)
        model.load_weights(run.best)
        shutil.rmtree(run.cache)
        card = _card(configuration, description, task, model, times)
        if start:
            card = replace(card, description=start.card.description, start=start.card.weights_sha256)
        return save_stage(model, card, run.folder / "stage")


def _fit(
    model: Any,
    run: RunFolder,
    configuration: Configuration,
    task: Task,
    times: EpochTimes,
) -> None:
    training, epochs_done = configuration.training, times.epochs_done
    averaging = keras.callbacks.SwapEMAWeights() if training.ema_momentum else None
    checkpoints = Checkpoints(run.last, run.best, rewind_log(run.log, epochs_done), averaging)
    log = keras.callbacks.CSVLogger(run.log, append=epochs_done > 0)
    with ExitStack() as stack:
        # Keras closes the log of a run that ends, not of one that is interrupted.
        stack.callback(log.on_train_end)
        progress = TrainingProgress(training.epochs, training.steps_per_epoch, epochs_done)
        model.fit(
            task.batches(epochs_done * training.steps_per_epoch),
            validation_data=task.validation(model.distribute_strategy.num_replicas_in_sync),
            initial_epoch=epochs_done,
            epochs=training.epochs,
            steps_per_epoch=training.steps_per_epoch,
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.TerminateOnNaN(),
                log,
                keras.callbacks.TensorBoard(run.folder / "tensorboard", write_graph=False),
                *([averaging] if averaging else []),
                times,
                checkpoints,
                stack.enter_context(progress),
            ],
        )
    if model.stop_training or not run.best.exists():
        raise ConfigurationError(
            f"The loss of {run.folder} became NaN; start a new run with a lower training.learning_rate, "
            "or with training.precision float32."
        )


def _card(
    configuration: Configuration, description: dict[str, Any], task: Task, model: Any, times: EpochTimes
) -> StageCard:
    network = configuration.network
    return StageCard(
        family=network.family,
        stage=network.stage,
        scale=network.scale,
        receptive_field_radius=family_named(network.family).receptive_field_radius(network.stage, network.scale),
        modalities=task.modalities,
        trained_on=short_names(description["training"]),
        scores=[],
        configuration=asdict(configuration),
        versions=description["versions"],
        validated_on=short_names(description["validation"]),
        training_seconds=sum(times.seconds) if len(times.seconds) == configuration.training.epochs else None,
        parameters=parameters(model),
        macs=network_macs(task.plain(model), 1, 1),
        description=[] if configuration.training.start else task.description(),
    )


def _optimizer(configuration: Configuration) -> Any:
    training = configuration.training
    rate = keras.optimizers.schedules.CosineDecay(
        training.learning_rate,
        training.epochs * training.steps_per_epoch,
        alpha=training.final_learning_rate / training.learning_rate,
    )
    if training.ema_momentum:
        return keras.optimizers.Adam(
            rate,
            global_clipnorm=training.gradient_norm or None,
            use_ema=True,
            ema_momentum=training.ema_momentum,
        )
    return keras.optimizers.Adam(rate, global_clipnorm=training.gradient_norm or None)


def _strategy() -> Any:
    """Return a strategy for the GPUs of this machine: mirrored where there are several."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in devices]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()
