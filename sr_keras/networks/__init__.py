"""The network families. A family is one module of this package, listed in `FAMILIES`, or what `register_family` adds.

A family's module defines

- `build(stage, scale, precision)`: a Keras functional model from (batch, height, width, 1) to a dictionary of the
  outputs `intermediate` and `final`; height and width are free; and
- `receptive_field_radius(stage, scale)`: along height and width, in low-resolution pixels.

Both stages process two-dimensional images. The hw stage upsamples both axes. The d stage upsamples the *second* axis
only: its input is (batch, in-plane, depth, 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class RegisteredFamily:
    """A family that `register_family` added.

    Attributes:
        make: returns a new, untrained Keras model; see `Family.build`.
    """

    make: Callable[[StageName, int, str], Any]

    def build(self, stage: StageName, scale: int, precision: str = "float32") -> Any:
        """Return a new, untrained Keras model with the outputs `intermediate` and `final`; see `Family.build`."""
        from sr_keras.networks.inspection import check_network, named_outputs

        network = named_outputs(self.make(stage, scale, precision))
        check_network(network, stage, scale)
        return network

    def receptive_field_radius(self, stage: StageName, scale: int) -> tuple[int, int]:
        """Return the radius along height and width, in low-resolution pixels, measured on a new network."""
        from sr_keras.networks.inspection import inspect_network

        return inspect_network(self.build(stage, scale)).receptive_field_radius


_REGISTERED: dict[str, RegisteredFamily] = {}


def register_family(name: str, build: Callable[[StageName, int, str], Any]) -> None:
    """Add a family of networks, for this process: configurations, training and trained stages may then name it.

    A second registration of a name replaces the first, so that a cell of a notebook can run again.

    Args:
        name: of the family, an identifier that no family of the package has.
        build: takes the stage ("hw" or "d"), the scale and a Keras dtype policy, and returns a new Keras model from
            (batch, height, width, 1) to the upsampled images, with height and width free. Its output is one tensor, or
            a dictionary with `final` and perhaps `intermediate`.

    Raises:
        ConfigurationError: the name is no identifier, or that of a family of the package.

    >>> import keras
    >>> from sr_keras import build_network, register_family
    >>> def build(stage, scale, precision):
    ...     images = keras.Input((None, None, 1))
    ...     return keras.Model(images, keras.layers.UpSampling2D(scale if stage == "hw" else (1, scale))(images))
    >>> register_family("nearest", build)
    >>> sorted(build_network("nearest", "hw", 2).output)
    ['final', 'intermediate']
    """
    if not name.isidentifier() or name in FAMILIES:
        raise ConfigurationError(
            f"A family's name must be an identifier other than {', '.join(FAMILIES)}. Received: {name}."
        )
    _REGISTERED[name] = RegisteredFamily(build)


def family_names() -> tuple[str, ...]:
    """Return the names of all families: those of the package, then those that were registered."""
    return (*FAMILIES, *_REGISTERED)


def family_named(name: str) -> Family:
    """Return the module of a family. Imports Keras.

    Raises:
        ConfigurationError: the family does not exist.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in FAMILIES:
        raise ConfigurationError(f"The family must be one of {', '.join(family_names())}. Received: {name}.")
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
        family: a name of `FAMILIES`, or one that was registered.
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
