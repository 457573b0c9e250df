"""Train candidate networks for x2 in-plane alike and print their scores; `fast` and `best` were chosen by this.

    python benchmarks/architectures.py TRAIN VALIDATION [--steps 3000] [CANDIDATE...]

A step has 32 patches. The script prints PSNR in dB over 12 slices of each validation scan, and the processor time of
the training, which a busy machine changes little. Without names it trains all candidates, which takes hours on two
cores.
"""

import argparse
import os
import sys
import time
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

from sr_keras.inference.folders import find_scans
from sr_keras.models.complexity import network_macs
from sr_keras.networks import build_network
from sr_keras.networks.upscaling import cubic_phases, pixel_shuffle
from sr_keras.training.configuration import read_configuration
from sr_keras.training.dataset import training_batches, validation_images
from sr_keras.training.patches import load_scan
from sr_keras.training.run import compiled

EPOCHS, SLICES = 6, 12
POLICY = keras.DTypePolicy("mixed_bfloat16")


def convolution(images: Any, filters: int, activation: str | None = "relu", size: int = 3) -> Any:
    """Return the images after one convolution."""
    return layers.Conv2D(filters, size, padding="same", activation=activation, dtype=POLICY)(images)


@dataclass(frozen=True)
class Candidate:
    """A network that adds the output of its convolutions to a cubic interpolation.

    Attributes:
        widths: filters of each convolution before the last one.
        skip_every: convolutions between skips; 0 for none. The last before a skip has no ReLU if there are two.
        skip: whether the first convolution's output is added to the last's.
        first_size: of the first convolution.
        last_size: of the last convolution.
        refinement: filters of a pair of convolutions after the shuffle; 0 for none.
        intermediate_weight: of the loss before the refinement.
        loss: "l1" or "l2".
        ema_momentum: of the average of weights.
        learning_rate: at the first step.
    """

    widths: tuple[int, ...]
    skip_every: int = 0
    skip: bool = False
    first_size: int = 3
    last_size: int = 3
    refinement: int = 0
    intermediate_weight: float = 1.0
    loss: str = "l1"
    ema_momentum: float = 0.0
    learning_rate: float = 1e-3

    def build(self) -> Any:
        """Return the untrained network."""
        images = keras.Input((None, None, 1), name="lr")
        first = features = convolution(images, self.widths[0], size=self.first_size)
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
    "24 x 6, rate 0.002": Candidate((24,) * 6, learning_rate=2e-3),
    "24 x 6, rate 0.003": Candidate((24,) * 6, learning_rate=3e-3),
    "24 x 6, L2": Candidate((24,) * 6, loss="l2"),
    "24 x 6, EMA 0.999": Candidate((24,) * 6, ema_momentum=0.999),
    "24 x 6, skip": Candidate((24,) * 6, skip=True),
    "24 x 6, refinement of 4": Candidate((24,) * 6, refinement=4),
    "24 x 6, refinement of 4, final loss alone": Candidate((24,) * 6, refinement=4, intermediate_weight=0.0),
    "16 x 12": Candidate((16,) * 12),
    "16 x 11, skips over two": Candidate((16,) * 11, skip_every=2, skip=True),
    "32 x 4, last 1x1": Candidate((32,) * 4, last_size=1),
    "16 x 12, rate 0.002": Candidate((16,) * 12, learning_rate=2e-3),
    "32, 32, 32, 16, 16": Candidate((32, 32, 32, 16, 16)),
    "32, 32, 32, 16, 16, rate 0.002": Candidate((32, 32, 32, 16, 16), learning_rate=2e-3),
    "32, 32, 32, 16, 16, first 5x5, rate 0.002": Candidate((32, 32, 32, 16, 16), first_size=5, learning_rate=2e-3),
    "16, 32, 32, 32, 16, rate 0.002": Candidate((16, 32, 32, 32, 16), learning_rate=2e-3),
    "32 x 2, 16 x 5, rate 0.002": Candidate((32,) * 2 + (16,) * 5, learning_rate=2e-3),
    "48 x 10, skips over three": Candidate((48,) * 10, skip_every=3, skip=True),
    "48 x 11, skips over two": Candidate((48,) * 11, skip_every=2, skip=True),
    "48 x 11, skip": Candidate((48,) * 11, skip=True),
    "48 x 11, skip, rate 0.002": Candidate((48,) * 11, skip=True, learning_rate=2e-3),
}


def trained(candidate: Candidate, build: Callable[[], Any], scans: list[Any], steps: int) -> Any:
    """Return the network after training."""
    shared = read_configuration("fast_hw_x2")
    training = replace(
        shared.training,
        epochs=EPOCHS,
        steps_per_epoch=steps // EPOCHS,
        learning_rate=candidate.learning_rate,
        loss=candidate.loss,
        intermediate_weight=candidate.intermediate_weight,
        ema_momentum=candidate.ema_momentum,
    )
    configuration = replace(shared, training=training)
    keras.utils.set_random_seed(training.seed)
    model = compiled(build(), configuration)
    averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if candidate.ema_momentum else []
    model.fit(
        training_batches(scans, configuration),
        epochs=EPOCHS,
        steps_per_epoch=steps // EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=averaging,
    )
    return model


def psnr(model: Any, scan: Any) -> float:
    """Return the mean PSNR of the final output over slices of a scan, in dB, what is below the floor cut off."""
    values = []
    for low, high in validation_images([scan], "hw", 2, SLICES):
        error = np.maximum(model(low)["final"], 0) - high["final"]
        values.append(-10 * float(np.log10(np.mean(np.square(error)))))
    return fmean(values)


parser = argparse.ArgumentParser(description="Train candidate networks alike.")
parser.add_argument("train", type=Path)
parser.add_argument("validation", type=Path)
parser.add_argument("candidates", nargs="*", metavar="CANDIDATE")
parser.add_argument("--steps", type=int, default=3000)
arguments = parser.parse_intermixed_args()
sys.stdout.write("| candidate | MACs | parameters | CT | MR | core minutes |\n|---|---|---|---|---|---|\n")
with TemporaryDirectory() as folder:
    scans, unseen = (
        [load_scan(path, Path(folder)) for path in find_scans([place])]
        for place in (arguments.train, arguments.validation)
    )
    for name in arguments.candidates or CANDIDATES:
        candidate = CANDIDATES[name]
        start = time.process_time()
        model = trained(candidate, candidate.build if candidate.widths else reference, scans, arguments.steps)
        minutes = (time.process_time() - start) / 60
        means = [fmean(psnr(model, scan) for scan in unseen if scan.modality == kind) for kind in ("CT", "MR")]
        macs = network_macs(model, 1, 1)
        cells = [f"{macs:,}", f"{model.count_params():,}", *(f"{mean:.2f}" for mean in means), f"{minutes:.1f}"]
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()
