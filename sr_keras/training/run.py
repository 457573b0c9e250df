"""Train one stage: from scans and a configuration to a run's folder with a trained stage in it."""

import json
import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from sr_keras.errors import ConfigurationError, OutputError
from sr_keras.files import file_sha256, make_folder
from sr_keras.models.complexity import network_macs, parameters
from sr_keras.models.stages import StageCard, save_stage
from sr_keras.networks import build_network, family_named
from sr_keras.training.callbacks import Checkpoints, EpochTimes, TrainingProgress, restore_checkpoint, rewind_log
from sr_keras.training.configuration import Configuration, format_configuration, read_configuration
from sr_keras.training.dataset import training_batches, validation_images
from sr_keras.training.patches import Scan, largest_patch, load_scan

# Filter of the SSIM metric, in pixels: scikit-image's default, and small enough for the published patches.
SSIM_FILTER = 7
# Below this difference, a thousandth of the intensity range, the Charbonnier loss grows by the square.
CHARBONNIER_EPSILON = 1e-3


@dataclass(frozen=True)
class Run:
    """The folder of a training run and what belongs where in it."""

    folder: Path

    @property
    def configuration(self) -> Path:
        """The resolved configuration, YAML."""
        return self.folder / "configuration.yaml"

    @property
    def description(self) -> Path:
        """Scans with their SHA-256, seed and versions, JSON."""
        return self.folder / "run.json"

    @property
    def log(self) -> Path:
        """Losses and metrics of each epoch, CSV."""
        return self.folder / "log.csv"

    @property
    def seconds(self) -> Path:
        """How long each epoch took, JSON: apart from the log, which a repeated run repeats."""
        return self.folder / "seconds.json"


def start_training(
    configuration: Configuration, training: Sequence[Path], validation: Sequence[Path], folder: Path
) -> Path:
    """Train a stage in a new folder.

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
    """
    if folder.exists():
        raise OutputError(
            f"A new run needs a new folder. Received: {folder}, which exists. Choose another, or --resume it."
        )
    if not (training and validation):
        raise ConfigurationError(
            f"A run needs scans to train on and others to validate on. Received: {len(training)} and {len(validation)}."
        )
    description = {
        "training": {str(path): file_sha256(path) for path in training},
        "validation": {str(path): file_sha256(path) for path in validation},
        "seed": configuration.training.seed,
        "versions": {name: version(name) for name in ("sr_keras", "keras", "numpy")} | {"tensorflow": tf.__version__},
        "python": platform.python_version(),
    }
    make_folder(folder)
    run = Run(folder)
    run.configuration.write_text(format_configuration(configuration))
    run.description.write_text(json.dumps(description, indent=2) + "\n")
    return _train(run, configuration, description)


def resume_training(folder: Path) -> Path:
    """Go on with an interrupted run, exactly as if it had not been interrupted.

    Returns:
        The path of the trained stage's card.

    Raises:
        ConfigurationError: the folder is not a run's, or a scan is not what it was.
        StageError: the checkpoint is damaged.
    """
    run = Run(folder)
    if not (run.configuration.exists() and run.description.exists()):
        raise ConfigurationError(
            f"Only a run's folder can be resumed. Received: {folder}, without configuration or run.json."
        )
    description = json.loads(run.description.read_text())
    for name, digest in (*description["training"].items(), *description["validation"].items()):
        if not Path(name).exists() or file_sha256(Path(name)) != digest:
            raise ConfigurationError(
                f"A resumed run needs the scans it began with. Received: {name}, which is gone or changed."
            )
    return _train(run, read_configuration(str(run.configuration)), description)


def compiled_network(configuration: Configuration) -> Any:
    """Return the untrained network, compiled with a weighted loss for each output, on all GPUs of this machine."""
    network, training = configuration.network, configuration.training
    keras.utils.set_random_seed(training.seed)
    with _strategy().scope():
        return compiled(build_network(network.family, network.stage, network.scale, training.precision), configuration)


def compiled(model: Any, configuration: Configuration) -> Any:
    """Compile a network with outputs `intermediate` and `final` as a configuration says, and return it."""
    training = configuration.training
    model.compile(
        optimizer=_optimizer(configuration),
        loss=dict.fromkeys(("intermediate", "final"), LOSSES[training.loss]),
        loss_weights={"intermediate": training.intermediate_weight, "final": 1.0},
        metrics={"final": [psnr, ssim]},
    )
    return model


def charbonnier(ground_truth: Any, predicted: Any) -> Any:
    """Return the mean over channels of sqrt(difference^2 + epsilon^2): an L1 that is smooth at zero.

    P. Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging" (1994),
    DOI 10.1109/ICIP.1994.413553.
    """
    return tf.reduce_mean(tf.sqrt(tf.square(ground_truth - predicted) + CHARBONNIER_EPSILON**2), axis=-1)


LOSSES = {"l1": "mean_absolute_error", "l2": "mean_squared_error", "charbonnier": charbonnier}


def psnr(ground_truth: Any, predicted: Any) -> Any:
    """Return the PSNR of each image of a batch in dB, for normalised intensities (data_range 1)."""
    return tf.image.psnr(tf.cast(ground_truth, tf.float32), tf.cast(predicted, tf.float32), max_val=1.0)


def ssim(ground_truth: Any, predicted: Any) -> Any:
    """Return the SSIM of each image of a batch, for normalised intensities (data_range 1)."""
    return tf.image.ssim(
        tf.cast(ground_truth, tf.float32), tf.cast(predicted, tf.float32), max_val=1.0, filter_size=SSIM_FILTER
    )


def _train(run: Run, configuration: Configuration, description: dict[str, Any]) -> Path:
    tf.config.experimental.enable_op_determinism()
    network, training = configuration.network, configuration.training
    scans = [_usable(load_scan(Path(name), run.folder / "cache"), configuration) for name in description["training"]]
    validation = [load_scan(Path(name), run.folder / "cache") for name in description["validation"]]
    model = compiled_network(configuration)
    last = run.folder / "last.weights.h5"
    epochs_done = restore_checkpoint(model, last, training.steps_per_epoch) if last.exists() else 0
    best = rewind_log(run.log, epochs_done)
    averaging = keras.callbacks.SwapEMAWeights() if training.ema_momentum else None
    checkpoints, times = Checkpoints(run.folder, best, averaging), EpochTimes(run.seconds, epochs_done)
    model.fit(
        training_batches(scans, configuration, epochs_done * training.steps_per_epoch),
        validation_data=validation_images(
            validation,
            network.stage,
            network.scale,
            training.validation_slices,
            copies=model.distribute_strategy.num_replicas_in_sync,
        ),
        initial_epoch=epochs_done,
        epochs=training.epochs,
        steps_per_epoch=training.steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.CSVLogger(run.log, append=epochs_done > 0),
            keras.callbacks.TensorBoard(run.folder / "tensorboard", write_graph=False),
            *([averaging] if averaging else []),
            times,
            checkpoints,
            TrainingProgress(training.epochs, training.steps_per_epoch, epochs_done),
        ],
    )
    if model.stop_training:
        raise ConfigurationError(
            f"The loss must stay finite. Received: NaN, in {run.folder}. Start a new run with a lower "
            "training.learning_rate, or with training.precision float32."
        )
    model.load_weights(checkpoints.best_epoch)
    shutil.rmtree(run.folder / "cache")
    card = StageCard(
        family=network.family,
        stage=network.stage,
        scale=network.scale,
        receptive_field_radius=family_named(network.family).receptive_field_radius(network.stage, network.scale),
        modalities=sorted({scan.modality for scan in scans}),
        trained_on=_by_name(description["training"]),
        scores=[],
        configuration=asdict(configuration),
        versions=description["versions"],
        validated_on=_by_name(description["validation"]),
        # Runs begun before times were kept have some for a part of their epochs only.
        training_seconds=sum(times.seconds) if len(times.seconds) == training.epochs else None,
        parameters=parameters(model),
        macs=network_macs(model, 1, 1),
    )
    return save_stage(model, card, run.folder / "stage")


def _by_name(digests: dict[str, str]) -> dict[str, str]:
    return {Path(name).name: digest for name, digest in digests.items()}


def _optimizer(configuration: Configuration) -> Any:
    training = configuration.training
    rate = keras.optimizers.schedules.CosineDecay(
        training.learning_rate,
        training.epochs * training.steps_per_epoch,
        alpha=training.final_learning_rate / training.learning_rate,
    )
    if training.ema_momentum:
        return keras.optimizers.Adam(rate, use_ema=True, ema_momentum=training.ema_momentum)
    return keras.optimizers.Adam(rate)


def _strategy() -> Any:
    """Return a strategy for the GPUs of this machine: mirrored where there are several."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in devices]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()


def _usable(scan: Scan, configuration: Configuration) -> Scan:
    height, width = largest_patch(scan, configuration.network.stage)
    patches = configuration.patches
    if patches.height > height or patches.width > width:
        raise ConfigurationError(
            f"A scan must hold a whole patch of {patches.height}x{patches.width} voxels. Received: {scan.source}, "
            f"which holds {height}x{width} at most. Leave it out, or make patches.height and patches.width smaller."
        )
    return scan
