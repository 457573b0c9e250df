"""Train a plain chain on patches: one compiled step for each kind of chain, whatever the scan, on any Keras backend."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import cos, pi
from typing import Any

import numpy as np

from sr_keras.adaptation.pairs import Floats, PatchSampler
from sr_keras.adaptation.start import Start
from sr_keras.framework import load_keras

# Patches of a step, and what they measure in low-resolution pixels: in-plane, and along the depth.
BATCH, HEIGHT, LEAST_DEPTH, TARGET_DEPTH = 32, 32, 16, 48
LEARNING_RATE = 2e-3
# Batches that a network is judged by, and pixels at the borders of their patches that see zeros and do not count.
JUDGED, BORDER = 8, 4
# A mean squared error that nobody sees: a thousandth of the range. Patches do not become better than that.
LEAST_ERROR = 1e-6
# Called with the steps that are done.
StepCallback = Callable[[int], None]


def patch_size(scale: int) -> tuple[int, int]:
    """Return the height and the depth of a low-resolution patch."""
    return HEIGHT, max(LEAST_DEPTH, TARGET_DEPTH // scale)


def fit(start: Start, sampler: PatchSampler, steps: int, seed: int, on_step: StepCallback) -> Start:
    """Return a chain, trained.

    Args:
        start: what to begin with.
        sampler: of the patches.
        steps: of `BATCH` patches each, at a rate that falls to zero along a cosine.
        seed: of the patches.
        on_step: called after each step.
    """
    model, generator = started(start), np.random.default_rng(seed)
    for step in range(steps):
        model.optimizer.learning_rate = LEARNING_RATE * 0.5 * (1.0 + cos(pi * step / steps))
        model.train_on_batch(*sampler.draw(BATCH, generator))
        on_step(step + 1)
    weights: dict[str, Any] = {name: tuple(model.get_layer(name).get_weights()) for name in start.weights}
    return replace(start, weights=weights)


def started(start: Start) -> Any:
    """Return the compiled chain with the weights to begin with, and an optimizer that knows of no other scan.

    The next call for such a chain changes it.
    """
    model = _compiled(start.scale, start.widths, start.skip)
    for name, arrays in start.weights.items():
        model.get_layer(name).set_weights(arrays)
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape))
    return model


def level_of(model: Any, sampler: PatchSampler, seed: int) -> float:
    """Return the mean of a chain's PSNR on each of some patches, normalised intensities, dB; 0 where none counts.

    Of the error of all patches together a few edges of bone would be the larger part.

    Args:
        model: as `started` returns it.
        sampler: of patches of slices that it did not learn from; NaN in their targets does not count.
        seed: of the patches.
    """
    generator, errors = np.random.default_rng(seed), []
    for _ in range(JUDGED):
        low, target = sampler.draw(BATCH, generator)
        scale = target.shape[2] // low.shape[2]
        inner = (slice(None), slice(BORDER, -BORDER), slice(BORDER * scale, -BORDER * scale))
        made = np.asarray(model.predict_on_batch(low))
        squares = np.square(made - target)[inner]
        errors += [np.nanmean(each, dtype=np.float64) for each in squares if not np.isnan(each).all()]
    return float(np.mean(-10.0 * np.log10(np.array(errors) + LEAST_ERROR))) if errors else 0.0


def upsample(model: Any, images: Floats) -> Floats:
    """Return images (batch, in-plane, depth) upsampled along the depth."""
    return np.asarray(model.predict_on_batch(images[..., None]))[..., 0]


@lru_cache(maxsize=4)
def _compiled(scale: int, widths: tuple[int, ...], skip: bool) -> Any:
    """Return a chain with its optimizer, compiled once for all scans.

    Least squares: noise of the targets that is independent of the input does not move their minimum.
    """
    from sr_keras.networks.conditional import build_folded

    keras = load_keras()
    network = build_folded("d", scale, widths=widths, skip=skip)
    model = keras.Model(network.input, network.output["final"])
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mean_squared_error")
    return model
