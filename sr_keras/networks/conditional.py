"""A chain of convolutions whose weights depend on the scan: mixed from a few bases, scaled and shifted.

For one scan the weights are constants, so the network is folded into a plain chain of convolutions, with the arithmetic
and the graph of an unconditional one. Y. Chen et al., "Dynamic Convolution", CVPR 2020, DOI
10.1109/CVPR42600.2020.01104; E. Perez et al., "FiLM", AAAI 2018, DOI 10.1609/aaai.v32i1.11671.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
import numpy as np
from keras import layers

from sr_keras.errors import ConfigurationError
from sr_keras.networks import CONDITIONAL_FAMILIES, SCALES, StageName, family_named, output_factors
from sr_keras.networks.conditional_layers import ConditionalConv2D, LinearKernel, Standardise, linear_size
from sr_keras.networks.folding import ConditionalWeights, fold
from sr_keras.networks.symmetry import IMAGE, features_order, pixels_order
from sr_keras.networks.upscaling import pixel_shuffle

# Width of the layers between the numbers that describe the scan and the weights.
HIDDEN = 32


def build_conditional(
    stage: StageName,
    scale: int,
    precision: str,
    *,
    widths: Sequence[int],
    skip: bool,
    length: int,
    bases: int,
    groups: int = 1,
    members: Any = None,
    name: str = "conditional",
) -> keras.Model:
    """Return an untrained conditional chain: images and `length` numbers about the scan in, upsampled images out.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor.
        precision: a Keras dtype policy.
        widths: filters of each convolution but the last.
        skip: whether a skip connection adds the output of the first convolution to that of the last but one.
        length: numbers in a description.
        bases: kernels that each convolution mixes.
        groups: parts of a training batch, each of one scan.
        members: (`MEMBERS`, length - 1), fingerprints of the training mixture; None where weights will be loaded.
        name: of the model, before stage and scale.
    """
    policy = keras.DTypePolicy(precision)
    images, description = keras.Input((None, None, 1), name="lr"), keras.Input((length,), name="description")
    standard = Standardise(members, name="standard", dtype="float32")(description)
    hidden = layers.Dense(HIDDEN, activation="relu", name="hidden1", dtype="float32")(standard)
    hidden = layers.Dense(HIDDEN, activation="tanh", name="hidden2", dtype="float32")(hidden)
    options: dict[str, Any] = {"bases": bases, "groups": groups}
    order, first, features = IMAGE, None, images
    for number, filters in enumerate(widths, 1):
        incoming, order = order, features_order(stage, filters)
        layer = ConditionalConv2D(
            filters, name=f"conv{number}", dtype=policy, incoming=incoming, outgoing=order, **options
        )
        features = layer(features, hidden)
        first = features if first is None else first
    if skip:
        features = layers.Add(name="skip", dtype=policy)([features, first])
    pixels, outgoing = prod(output_factors(stage, scale)), pixels_order(stage, scale)
    options |= {"activation": "linear", "outgoing": outgoing}
    details = ConditionalConv2D(pixels, incoming=order, name="details", dtype=policy, **options)(features, hidden)
    linear = ConditionalConv2D(
        pixels,
        linear_size(stage, scale),
        first_kernel=LinearKernel(stage, scale),
        name="linear",
        dtype="float32",
        **options,
    )(images, hidden)
    summed = layers.Add(name="sum", dtype="float32")([linear, details])
    outputs = _named_outputs(pixel_shuffle(summed, stage, scale))
    return keras.Model({"lr": images, "description": description}, outputs, name=f"{name}_{stage}_x{scale}")


def conditional_chain(family: str, stage: StageName, scale: int) -> tuple[tuple[int, ...], bool]:
    """Return the filters of each convolution of a family's chain but the last, and whether it has a skip.

    Raises:
        ConfigurationError: the family has no conditional networks, or none of this scale.
    """
    if family not in CONDITIONAL_FAMILIES:
        raise ConfigurationError(
            f"The family of a conditional network must be one of {', '.join(CONDITIONAL_FAMILIES)}. Received: {family}."
        )
    if scale not in SCALES:
        raise ConfigurationError(f"The scale must be one of {', '.join(map(str, SCALES))}. Received: {scale}.")
    module: Any = family_named(family)
    chain: tuple[tuple[int, ...], bool] = module.chain(stage, scale)
    return chain


def build_folded(
    stage: StageName,
    scale: int,
    *,
    widths: Sequence[int],
    skip: bool,
    precision: str = "float32",
    name: str = "folded",
) -> keras.Model:
    """Return the plain chain that a conditional one becomes for one scan; `fold_into` gives it its weights.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor.
        widths: filters of each convolution but the last.
        skip: whether a skip connection adds the output of the first convolution to that of the last but one.
        precision: a Keras dtype policy; the linear part, through which the image passes, is always float32.
        name: of the model, before stage and scale.

    Input shape:
        (batch, height, width, 1), normalised intensities; for the d stage (batch, in-plane, depth, 1).

    Output shape:
        A dictionary of `intermediate` and `final`, each (batch, height * scale, width * scale, 1); for the d stage
        (batch, in-plane, depth * scale, 1); float32.
    """
    images, phases = keras.Input((None, None, 1), name="lr"), prod(output_factors(stage, scale))
    policy = keras.DTypePolicy(precision)
    first, features = None, images
    for number, filters in enumerate(widths, 1):
        layer = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}", dtype=policy)
        features = layer(features)
        first = features if first is None else first
    if skip:
        features = layers.Add(name="skip", dtype=policy)([features, first])
    details = layers.Conv2D(phases, 3, padding="same", name="details", dtype=policy)(features)
    size = linear_size(stage, scale)
    linear = layers.Conv2D(phases, size, padding="same", name="linear", dtype="float32")(images)
    summed = layers.Add(name="sum", dtype="float32")([linear, details])
    return keras.Model(images, _named_outputs(pixel_shuffle(summed, stage, scale)), name=f"{name}_{stage}_x{scale}")


def fold_into(model: keras.Model, weights: ConditionalWeights, description: Any) -> None:
    """Give a model of `build_folded` the weights for a scan.

    Args:
        model: of the widths of the conditional chain.
        weights: of the conditional chain.
        description: (length,), the scan's fingerprint and how much of its noise is kept.
    """
    for name, arrays in fold(weights, np.asarray(description, np.float32)).items():
        model.get_layer(name).set_weights(arrays)


def conditional_weights(model: keras.Model) -> ConditionalWeights:
    """Return what a model of `build_conditional` has learned."""
    standard = model.get_layer("standard")
    convolutions = [layer for layer in model.layers if isinstance(layer, ConditionalConv2D)]
    return ConditionalWeights(
        np.array(standard.mean, np.float32),
        np.array(standard.deviation, np.float32),
        np.array(standard.members, np.float32),
        [_dense(model.get_layer(name)) for name in ("hidden1", "hidden2")],
        {layer.name: {part: np.array(values) for part, values in layer.symmetric().items()} for layer in convolutions},
    )


def _dense(layer: layers.Layer) -> tuple[Any, Any]:
    kernel, bias = (np.array(each) for each in layer.weights)
    return kernel, bias


def _named_outputs(upscaled: Any) -> dict[str, Any]:
    return {
        name: layers.Activation("linear", name=name, dtype="float32")(upscaled) for name in ("intermediate", "final")
    }
