"""The network families. A family is one module of this package, listed in `FAMILIES`.

A family's module defines

- `build(stage, scale, precision)`: a Keras functional model from (batch, height, width, 1) to a dictionary of the
  outputs `intermediate` and `final`; height and width are free; and
- `receptive_field_radius(stage, scale)`: along height and width, in low-resolution pixels.

Both stages process two-dimensional images. The hw stage upsamples both axes. The d stage upsamples the *second* axis
only: its input is (batch, in-plane, depth, 1).
"""

from importlib import import_module
from typing import Any, Literal, Protocol, cast

from sr_keras.errors import ConfigurationError

StageName = Literal["hw", "d"]
STAGES: tuple[StageName, ...] = ("hw", "d")
FAMILIES: tuple[str, ...] = ("fast", "best", "georgescu2020")
# Families that can be trained as conditional networks, see `sr_keras.networks.conditional`.
CONDITIONAL_FAMILIES: tuple[str, ...] = ("fast", "best")
SCALES: tuple[int, ...] = (2, 4)


class Family(Protocol):
    """The interface of a family's module."""

    def build(self, stage: StageName, scale: int, precision: str = "float32") -> Any:
        """Return a new, untrained Keras model.

        Args:
            stage: "hw" or "d".
            scale: upsampling factor, one of `SCALES`.
            precision: a Keras dtype policy.
        """

    def receptive_field_radius(self, stage: StageName, scale: int) -> tuple[int, int]:
        """Return the radius of the receptive field along height and width, in low-resolution pixels.

        Args:
            stage: "hw" or "d".
            scale: upsampling factor, one of `SCALES`.
        """


def family_named(name: str) -> Family:
    """Return the module of a family. Imports Keras.

    Raises:
        ConfigurationError: the family does not exist.
    """
    if name not in FAMILIES:
        raise ConfigurationError(f"The family must be one of {', '.join(FAMILIES)}. Received: {name}.")
    return cast(Family, import_module(f"{__name__}.{name}"))


def output_factors(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the upsampling factors of a stage along the height and the width of its images.

    Args:
        stage: "hw" upsamples both axes, "d" the second one.
        scale: upsampling factor, 2 or more.

    >>> output_factors("d", 4)
    (1, 4)
    """
    return (scale, scale) if stage == "hw" else (1, scale)


def upsampled_axes(stage: StageName) -> tuple[int, ...]:
    """Return the axes of a stage's images (0 height, 1 width) that it upsamples."""
    return (0, 1) if stage == "hw" else (1,)


def build_network(family: str, stage: StageName, scale: int, precision: str = "float32") -> Any:
    """Return a new, untrained model of a family.

    Args:
        family: a name of `FAMILIES`.
        stage: "hw" or "d".
        scale: upsampling factor, one of `SCALES`.
        precision: a Keras dtype policy: "float32", "mixed_float16" or "mixed_bfloat16". Outputs are float32.

    Returns:
        A Keras functional model: (batch, height, width, 1) -> {"intermediate", "final"}, each (batch, height * scale or
        height, width * scale, 1). For the d stage width is the depth of the scan.

    Raises:
        ConfigurationError: an argument has none of those values.
        MissingDependencyError: Keras or its backend is not installed.

    >>> from sr_keras import build_network
    >>> network = build_network("fast", "hw", 2)
    >>> network.output["final"].shape
    (None, None, None, 1)
    """
    if stage not in STAGES:
        raise ConfigurationError(f"The stage must be hw (height and width) or d (depth). Received: {stage}.")
    if scale not in SCALES:
        raise ConfigurationError(f"The scale must be one of {', '.join(map(str, SCALES))}. Received: {scale}.")
    return family_named(family).build(stage, scale, precision)
