"""A penalty on the lattice that a sub-pixel layer can print: pixels that differ by their place in the input pixel."""

from collections.abc import Callable
from typing import Any, cast

import tensorflow as tf

from sr_keras.training.losses import CHARBONNIER_EPSILON, LOSS_FUNCTIONS

# Pixels at the border of a patch, which see the zeros outside of it, are no lattice.
BORDER = 2
# Normalised intensities. Laplacians far above this count alike: else the few edges of a batch would hide the lattice.
SATURATION = 0.02
# Least mean absolute Laplacian, saturated: of images of one value.
LEAST = 1e-3
Loss = Callable[[Any, Any], Any]
POINTWISE: dict[str, Callable[[Any], Any]] = {
    "l1": tf.abs,
    "l2": tf.square,
    "charbonnier": lambda difference: tf.sqrt(tf.square(difference) + CHARBONNIER_EPSILON**2),
}


def lattice_penalty(ground_truth: Any, images: Any, factors: tuple[int, int]) -> Any:
    """Return how unlike the pixels of upsampled images are by their place in the low-resolution pixel; 0 is alike.

    What the ground truth has of that by chance, since few pixels lie at each place, counts as alike.

    Args:
        ground_truth: (batch, height, width, 1), float32.
        images: of the same shape, upsampled by the factors.
        factors: along height and width.

    Returns:
        Scalar tensor, the sum over places of (log of the saturated mean absolute Laplacian there, relative to all
        places, less the same of the ground truth)^2.
    """
    return tf.reduce_sum(tf.square(_imbalance(images, factors) - _imbalance(ground_truth, factors)))


def _imbalance(images: Any, factors: tuple[int, int]) -> Any:
    """Return the log of the mean absolute Laplacian at each place, relative to their mean: (places,)."""
    inner = images[:, BORDER:-BORDER, BORDER:-BORDER, 0]
    neighbours = inner[:, :-2, 1:-1] + inner[:, 2:, 1:-1] + inner[:, 1:-1, :-2] + inner[:, 1:-1, 2:]
    laplacian = tf.tanh(tf.abs(4.0 * inner[:, 1:-1, 1:-1] - neighbours) / SATURATION)
    height, width = factors
    places = [laplacian[:, row::height, column::width] for row in range(height) for column in range(width)]
    logs = tf.math.log(tf.stack([tf.reduce_mean(place) for place in places]) + LEAST)
    return logs - tf.reduce_mean(logs)


def loss_with_lattice(name: str, weight: float, factors: tuple[int, int]) -> str | Loss:
    """Return a loss by its name, with the penalty on a lattice where that has a weight.

    Args:
        name: "l1", "l2" or "charbonnier".
        weight: of the penalty; 0 leaves it out.
        factors: of the stage along height and width.
    """
    if not weight:
        return cast("str | Loss", LOSS_FUNCTIONS[name])
    pointwise = POINTWISE[name]

    def loss(ground_truth: Any, predicted: Any) -> Any:
        penalty = lattice_penalty(ground_truth, predicted, factors)
        return tf.reduce_mean(pointwise(ground_truth - predicted)) + weight * penalty

    return loss
