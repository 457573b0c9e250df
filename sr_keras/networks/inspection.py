"""What a Keras model makes of images, found by running it: for networks that were not built by this package."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sr_keras.errors import ConfigurationError
from sr_keras.framework import load_keras
from sr_keras.networks import StageName, output_factors

OUTPUTS = ("intermediate", "final")
# Side of the image that a network is run on, in pixels: odd, with a centre, and wide enough that dilated kernels do not
# reach past its border.
SIDE = 257


@dataclass(frozen=True)
class Inspection:
    """What a network makes of images.

    Attributes:
        factors: by which it upsamples height and width.
        receptive_field_radius: along height and width, in low-resolution pixels.
    """

    factors: tuple[int, int]
    receptive_field_radius: tuple[int, int]


def named_outputs(model: Any) -> Any:
    """Return a Keras model as a functional one with the outputs `intermediate` and `final`.

    Args:
        model: from (batch, height, width, 1), height and width free, to one tensor or to a dictionary with `final` and
            perhaps `intermediate`, which is `final` where it lacks. Models that are no graph, such as subclasses of
            `keras.Model`, become one layer of a graph.

    Raises:
        ConfigurationError: it has another input or other outputs.
    """
    inputs, outputs = _ends(model)
    if isinstance(inputs, (list, tuple, dict)) or tuple(inputs.shape[1:]) != (None, None, 1):
        received = inputs.shape if hasattr(inputs, "shape") else f"{len(inputs)} inputs"
        raise ConfigurationError(
            f"The model must have one input (batch, height, width, 1), height and width free. Received: {received}."
        )
    named = outputs if isinstance(outputs, dict) else {"final": outputs}
    if not hasattr(named.get("final"), "shape"):
        raise ConfigurationError(
            f"The model must have one output, or a dictionary with 'final'. Received: {', '.join(map(str, named))}."
        )
    if isinstance(outputs, dict) and set(outputs) == set(OUTPUTS):
        return model
    return load_keras().Model(inputs, {name: named.get(name, named["final"]) for name in OUTPUTS}, name=model.name)


def network_at_policy(network: Any, policy: str) -> Any:
    """Return a copy of a network that computes at another Keras dtype policy; its outputs stay float32.

    Args:
        network: a functional model with a dictionary of outputs.
        policy: of all layers of the copy, such as "float16".
    """
    keras = load_keras()

    def at_policy(layer: Any) -> Any:
        # Operations that are no layers compute in the type of their inputs.
        options = {"dtype": policy} if isinstance(layer, keras.layers.Layer) else {}
        return type(layer).from_config(layer.get_config() | options)

    copy = keras.models.clone_model(network, clone_function=at_policy)
    copy.set_weights(network.get_weights())
    outputs = {
        name: keras.layers.Activation("linear", name=f"{name}_float32", dtype="float32")(output)
        for name, output in copy.output.items()
    }
    return keras.Model(copy.input, outputs, name=network.name)


def check_network(network: Any, stage: StageName, scale: int) -> Inspection:
    """Return what `inspect_network` does, of a network that must be one for a stage and a scale.

    Raises:
        ConfigurationError: it upsamples by other factors; see `inspect_network` too.
    """
    found = inspect_network(network)
    if found.factors != output_factors(stage, scale):
        height, width = found.factors
        raise ConfigurationError(
            f"{network.name} upsamples height x{height} and width x{width}, which is not what {stage} x{scale} does; "
            "give the stage and the scale that it was built for."
        )
    return found


def inspect_network(network: Any) -> Inspection:
    """Return the factors and the receptive field of a network with the output `final`.

    One pixel of an image is NaN. All output pixels that can depend on it, whatever the weights, are NaN too.

    Raises:
        ConfigurationError: the network cannot run on images of any size, upsamples them by no whole factors, or its
            receptive field is larger than any image tried.
    """
    centre = SIDE // 2
    image = np.zeros((1, SIDE, SIDE, 1), np.float32)
    image[0, centre, centre] = np.nan
    output = _final(network, image)
    factors = _factors(output.shape[1:])
    rows, columns = (
        _radius(np.isnan(output[0, ..., 0]).any(axis=1 - axis), factor, centre) for axis, factor in enumerate(factors)
    )
    if max(rows, columns) == centre:
        raise ConfigurationError(
            f"The receptive field of {network.name} is {SIDE} pixels wide or more, and slices are cut into tiles; "
            "leave layers out that see the whole image."
        )
    return Inspection(factors, (rows, columns))


def _ends(model: Any) -> tuple[Any, Any]:
    """Return the input and the output of a model; one that is no graph is called on an input first."""
    try:
        return model.input, model.output
    except (AttributeError, ValueError):
        images = load_keras().Input((None, None, 1), name="lr")
        return images, model(images)


def _final(network: Any, image: Any) -> Any:
    try:
        return load_keras().ops.convert_to_numpy(network(image, training=False)["final"])
    except (ValueError, TypeError, RuntimeError) as error:
        size = "x".join(map(str, image.shape[1:3]))
        raise ConfigurationError(
            f"{network.name} cannot run on {size} pixels, and slices may have any size "
            f"({str(error).strip().partition(chr(10))[0]})."
        ) from error


def _factors(shape: tuple[int, ...]) -> tuple[int, int]:
    height, width, *channels = shape
    if channels != [1] or height % SIDE or width % SIDE or not height * width:
        size = "x".join(map(str, shape))
        raise ConfigurationError(
            f"A network must upsample by whole factors, to one channel; this one makes {size} of {SIDE}x{SIDE}x1."
        )
    return height // SIDE, width // SIDE


def _radius(reached: Any, factor: int, centre: int) -> int:
    pixels = np.flatnonzero(reached) // factor
    return int(np.abs(pixels - centre).max(initial=0))
