"""Train candidate networks for x2 in-plane alike and print how good each is: how `fast` and `quality` were chosen.

    python benchmarks/architectures.py TRAIN VALIDATION [CANDIDATE...]

3,000 steps of 32 patches each, PSNR in dB over 12 slices of each validation scan. Without names all candidates are
trained, which takes hours on two cores.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from sr_keras.benchmark.arithmetic import network_multiply_adds
from sr_keras.configuration import Configuration, read_configuration
from sr_keras.jobs import find_scans
from sr_keras.networks import build_network
from sr_keras.networks.upscaling import cubic_phases, pixel_shuffle
from sr_keras.pipeline import training_batches, validation_images
from sr_keras.sampling import load_scan
from sr_keras.training import compiled

EPOCHS, STEPS, SLICES = 6, 500, 12
POLICY = keras.DTypePolicy("mixed_bfloat16")


def convolution(images: Any, filters: int, activation: str | None = "relu", size: int = 3) -> Any:
    """Return the images after one convolution."""
    return layers.Conv2D(filters, size, padding="same", activation=activation, dtype=POLICY)(images)


@dataclass(frozen=True)
class Candidate:
    """A network that adds what its convolutions find to the cubic enlargement.

    Attributes:
        widths: filters of each convolution before the last one.
        skip_every: convolutions between skips; 0 for none. The last before a skip has no ReLU if there are two.
        skip: whether the first convolution's output is added to the last's.
        last_size: of the last convolution.
        refinement: filters of a pair of convolutions after the shuffle; 0 for none.
        intermediate_weight: of the loss before the refinement.
        loss: "l1" or "l2".
        ema_momentum: of the average of weights.
    """

    widths: tuple[int, ...]
    skip_every: int = 0
    skip: bool = False
    last_size: int = 3
    refinement: int = 0
    intermediate_weight: float = 1.0
    loss: str = "l1"
    ema_momentum: float = 0.0

    def build(self) -> Any:
        """Return the untrained network."""
        images = keras.Input((None, None, 1), name="lr")
        first = features = convolution(images, self.widths[0])
        start = features
        for number, width in enumerate(self.widths[1:], 1):
            ends = self.skip_every and number % self.skip_every == 0
            features = convolution(features, width, None if ends and self.skip_every == 2 else "relu")
            if ends:
                features = start = layers.Add(dtype=POLICY)([features, start])
        if self.skip:
            features = layers.Add(dtype=POLICY)([features, first])
        details = convolution(features, 4, None, self.last_size)
        shuffled = pixel_shuffle(layers.Add(dtype="float32")([cubic_phases(images, "hw", 2), details]), "hw", 2)
        final = shuffled
        if self.refinement:
            inner = layers.Conv2D(self.refinement, 3, padding="same", activation="relu")(shuffled)
            correction = layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")(inner)
            final = layers.Add()([shuffled, correction])
        named = {"intermediate": shuffled, "final": final}
        return keras.Model(images, {name: layers.Activation("linear", name=name)(each) for name, each in named.items()})


def reference() -> Any:
    """Return the published network, float32 throughout: its image passes through every layer."""
    return build_network("georgescu2020", "hw", 2)


CANDIDATES = {
    "georgescu2020": Candidate(()),
    "24 x 6": Candidate((24,) * 6),
    "24 x 6, L2": Candidate((24,) * 6, loss="l2"),
    "24 x 6, EMA 0.999": Candidate((24,) * 6, ema_momentum=0.999),
    "24 x 6, skip": Candidate((24,) * 6, skip=True),
    "24 x 6, refinement of 4": Candidate((24,) * 6, refinement=4),
    "24 x 6, refinement of 4, final loss alone": Candidate((24,) * 6, refinement=4, intermediate_weight=0.0),
    "16 x 12": Candidate((16,) * 12),
    "16 x 11, skips over two": Candidate((16,) * 11, skip_every=2, skip=True),
    "32 x 4, last 1x1": Candidate((32,) * 4, last_size=1),
    "32, 32, 32, 16, 16": Candidate((32, 32, 32, 16, 16)),
    "48 x 10, skips over three": Candidate((48,) * 10, skip_every=3, skip=True),
    "48 x 11, skips over two": Candidate((48,) * 11, skip_every=2, skip=True),
    "48 x 11, skip": Candidate((48,) * 11, skip=True),
}


def trained(candidate: Candidate, build: Callable[[], Any], scans: list[Any], shared: Configuration) -> Any:
    """Return the network after training."""
    training = replace(
        shared.training,
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        loss=candidate.loss,
        intermediate_weight=candidate.intermediate_weight,
        ema_momentum=candidate.ema_momentum,
    )
    configuration = replace(shared, training=training)
    keras.utils.set_random_seed(training.seed)
    model = compiled(build(), configuration)
    averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if candidate.ema_momentum else []
    model.fit(
        training_batches(scans, configuration), epochs=EPOCHS, steps_per_epoch=STEPS, verbose=0, callbacks=averaging
    )
    return model


def psnr(model: Any, scan: Any) -> float:
    """Return the mean PSNR of the final output over slices of a scan, in dB, what is below the floor cut off."""
    values = []
    for low, high in validation_images([scan], "hw", 2, SLICES):
        error = np.maximum(model(low)["final"], 0) - high["final"]
        values.append(-10 * float(np.log10(np.mean(np.square(error)))))
    return fmean(values)


training_paths, validation_paths = (find_scans([Path(name)]) for name in sys.argv[1:3])
sys.stdout.write("| candidate | multiply-adds | parameters | CT | MR |\n|---|---|---|---|---|\n")
with TemporaryDirectory() as folder:
    scans = [load_scan(path, Path(folder)) for path in training_paths]
    unseen = [load_scan(path, Path(folder)) for path in validation_paths]
    for name in sys.argv[3:] or CANDIDATES:
        candidate = CANDIDATES[name]
        model = trained(
            candidate, candidate.build if candidate.widths else reference, scans, read_configuration("fast_hw_x2")
        )
        means = [fmean(psnr(model, scan) for scan in unseen if scan.modality == kind) for kind in ("CT", "MR")]
        arithmetic = network_multiply_adds(model, 1, 1)
        sys.stdout.write(f"| {name} | {arithmetic:,} | {model.count_params():,} | {means[0]:.2f} | {means[1]:.2f} |\n")
        sys.stdout.flush()
