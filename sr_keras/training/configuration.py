"""The configuration of a training run: YAML read into frozen dataclasses, every key checked."""

import math
import os
import reprlib
from dataclasses import asdict, dataclass, fields, is_dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from sr_keras.acquisition.mixture import CUBIC_SHARE
from sr_keras.errors import ConfigurationError, UnknownConfigurationError
from sr_keras.networks import CONDITIONAL_FAMILIES, SCALES, STAGES, StageName, family_names, output_factors

LOSSES = ("l1", "l2", "charbonnier", "psnr")
MIXTURES = ("none", "scanners")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# What TensorFlow counts with.
INTEGER_BITS = 64


@dataclass(frozen=True)
class NetworkConfiguration:
    """Which network: a family, a stage ("hw" or "d") and a scale."""

    family: str
    stage: StageName
    scale: int


@dataclass(frozen=True)
class DegradationConfiguration:
    """How low-resolution patches are made.

    Attributes:
        probability: of blurring a patch before it is downsampled; 0 blurs none.
        sigma_low: least standard deviation of the Gaussian, in high-resolution pixels.
        sigma_high: largest one; equal to `sigma_low` it is fixed.
        kernel_size: odd number of taps of the Gaussian.
    """

    probability: float = 0.5
    sigma_low: float = 0.0
    sigma_high: float = 0.5
    kernel_size: int = 3


@dataclass(frozen=True)
class AcquisitionConfiguration:
    """How low-resolution slices are acquired, and how a network is told about it.

    Attributes:
        mixture: "none" degrades patches as `DegradationConfiguration` says; "scanners" degrades whole slices as
            scanners do it, and the network is conditional.
        cubic_share: how much of the mixture is antialiased cubic downsampling instead, 0 to 1.
        bases: kernels that each convolution of a conditional network mixes.
        groups: parts of a batch, each of one scan, one acquisition and one noise dial.
        window: groups of slices that batches are drawn from at a time.
        steps_per_group: after as many steps one group gives way to a new one.
    """

    mixture: str = "none"
    cubic_share: float = CUBIC_SHARE
    bases: int = 4
    groups: int = 4
    window: int = 512
    steps_per_group: int = 8


@dataclass(frozen=True)
class PatchConfiguration:
    """High-resolution patches: height and width in pixels (a d patch has its depth along the width), and the batch."""

    height: int
    width: int
    batch: int


@dataclass(frozen=True)
class TrainingConfiguration:
    """How long, how fast and on what.

    Attributes:
        epochs: the log and the checkpoints get one entry an epoch.
        steps_per_epoch: batches in an epoch.
        learning_rate: Adam's rate at the first step.
        final_learning_rate: its rate at the last step, reached along a cosine; equal to the first it is constant.
        loss: "l1", "l2", "charbonnier", an L1 that is smooth at zero, or "psnr", the mean PSNR, negative.
        intermediate_weight: weight of the intermediate output's loss; the final output's is 1.
        ema_momentum: of the exponential moving average of the weights, which is validated and saved; 0 saves the
            weights themselves.
        precision: a Keras dtype policy.
        seed: of the weights, the patches and the degradation.
        validation_slices: slices drawn evenly from each validation scan after each epoch.
        gradient_norm: gradients whose norm over all weights is larger are scaled down to it; 0 leaves them as they are.
        start: a conditional stage that the network begins at, by name or by a run's folder; a smaller one grows. Empty
            it begins at random weights.
    """

    epochs: int
    steps_per_epoch: int
    learning_rate: float
    final_learning_rate: float
    loss: str = "l1"
    intermediate_weight: float = 1.0
    ema_momentum: float = 0.0
    precision: str = "float32"
    seed: int = 0
    validation_slices: int = 4
    gradient_norm: float = 0.0
    start: str = ""


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what a training run makes of its scans.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    network: NetworkConfiguration
    patches: PatchConfiguration
    training: TrainingConfiguration
    degradation: DegradationConfiguration = DegradationConfiguration()
    acquisition: AcquisitionConfiguration = AcquisitionConfiguration()

    def __post_init__(self) -> None:
        network, patches, training, degradation = self.network, self.patches, self.training, self.degradation
        _one_of("network.family", network.family, family_names())
        _one_of("network.stage", network.stage, STAGES)
        _one_of("network.scale", network.scale, SCALES)
        factors = output_factors(network.stage, network.scale)
        _require(
            patches.height % factors[0] == patches.width % factors[1] == 0 and min(patches.height, patches.width) >= 7,
            "patches.height and patches.width",
            "multiples of the scale, at least 7 pixels",
            f"{patches.height}x{patches.width}",
        )
        _require(
            network.stage == "d" or patches.height == patches.width,
            "patches.height and patches.width",
            "equal for the hw stage, whose patches are transposed",
            f"{patches.height}x{patches.width}",
        )
        for name in ("epochs", "steps_per_epoch", "validation_slices", "learning_rate", "final_learning_rate"):
            _require(getattr(training, name) > 0, f"training.{name}", "above zero", getattr(training, name))
        _require(patches.batch > 0, "patches.batch", "above zero", patches.batch)
        _one_of("training.loss", training.loss, LOSSES)
        _one_of("training.precision", training.precision, PRECISIONS)
        _require(0 <= training.seed < 2**32, "training.seed", "between 0 and 4294967295", training.seed)
        weight = training.intermediate_weight
        _require(weight >= 0, "training.intermediate_weight", "zero or more", weight)
        momentum = training.ema_momentum
        _require(0 <= momentum < 1, "training.ema_momentum", "zero or more and below 1", momentum)
        probability = degradation.probability
        _require(0 <= probability <= 1, "degradation.probability", "between 0 and 1", probability)
        low, high = degradation.sigma_low, degradation.sigma_high
        _require(0 <= low <= high, "degradation.sigma_low and sigma_high", "0 <= low <= high", f"{low} and {high}")
        size = degradation.kernel_size
        _require(size > 0 and size % 2 == 1, "degradation.kernel_size", "odd and above zero", size)
        largest = 2 * min(patches.height, patches.width) + 1
        _require(size <= largest, "degradation.kernel_size", f"at most {largest} for these patches", size)
        _require(training.gradient_norm >= 0, "training.gradient_norm", "zero or more", training.gradient_norm)
        self._check_acquisition()

    def _check_acquisition(self) -> None:
        acquisition = self.acquisition
        _one_of("acquisition.mixture", acquisition.mixture, MIXTURES)
        for name in ("bases", "groups", "window", "steps_per_group"):
            _require(getattr(acquisition, name) > 0, f"acquisition.{name}", "above zero", getattr(acquisition, name))
        share = acquisition.cubic_share
        _require(0 <= share <= 1, "acquisition.cubic_share", "between 0 and 1", share)
        if acquisition.mixture != "none":
            _one_of("network.family", self.network.family, CONDITIONAL_FAMILIES)
            batch, groups = self.patches.batch, acquisition.groups
            _require(batch % groups == 0, "patches.batch", f"a multiple of acquisition.groups, {groups}", batch)
        elif self.training.start:
            raise ConfigurationError("training.start needs acquisition.mixture scanners; leave it out.")


def read_configuration(name: str | os.PathLike[str]) -> Configuration:
    """Read a configuration.

    Args:
        name: of a YAML file, or of a configuration that ships with the package.

    Raises:
        ConfigurationError: there is no such file, it is not YAML, or a key or a value is wrong.

    Example:
        >>> read_configuration("fast_hw_x2").patches
        PatchConfiguration(height=48, width=48, batch=32)
    """
    shipped = {entry.name.removesuffix(".yaml"): entry for entry in _shipped()}
    source = shipped.get(str(name), Path(name))
    if not source.is_file():
        raise UnknownConfigurationError(f"{name} is no file; give a YAML file or one of {', '.join(sorted(shipped))}.")
    try:
        tree = yaml.safe_load(source.read_text())
    # ValueError: bytes that are no text, days that no month has.
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{name} cannot be read as YAML: {reason}.") from error
    return parse_configuration(tree)


def parse_configuration(tree: Any) -> Configuration:
    """Return the configuration that nested dictionaries describe.

    Raises:
        ConfigurationError: a key is unknown or missing, or a value has the wrong type or is out of its range.
    """
    result: Configuration = _parsed(Configuration, tree, "")
    return result


def format_configuration(configuration: Configuration) -> str:
    """Return the YAML that `read_configuration` reads back, every default written out."""
    text: str = yaml.safe_dump(asdict(configuration), sort_keys=False)
    return text


def _shipped() -> list[Any]:
    folder = files("sr_keras.configs")
    return [entry for entry in folder.iterdir() if entry.name.endswith(".yaml")]


def _parsed(kind: type[Any], tree: Any, place: str) -> Any:
    if not isinstance(tree, dict):
        raise ConfigurationError(
            f"{place.rstrip('.') or 'A configuration'} must be a mapping of keys to values, not {_short(tree)}."
        )
    known = {field.name: field for field in fields(kind)}
    for key in tree:
        if key not in known:
            nearest = get_close_matches(str(key), known, n=1, cutoff=0)[0]
            raise ConfigurationError(f"{place}{key} is no known key. Did you mean {place}{nearest}?")
    values = {key: _value(known[key].type, value, f"{place}{key}") for key, value in tree.items()}
    try:
        return kind(**values)
    except TypeError as error:
        missing = ", ".join(f"{place}{key}" for key in known if f"'{key}'" in str(error))
        raise ConfigurationError(f"{missing} must be given; there is no default.") from error


def _value(kind: Any, value: Any, place: str) -> Any:
    if is_dataclass(kind):
        return _parsed(kind, value, f"{place}.")  # type: ignore[arg-type]
    expected = kind if kind in (int, float) else str
    if type(value) is int and value.bit_length() >= INTEGER_BITS:
        raise ConfigurationError(f"{place} must be a number of at most {INTEGER_BITS} bits.")
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        hint = " (YAML wants 1.0e-3, not 1e-3)" if expected is float else ""
        raise ConfigurationError(f"{place} must be of type {expected.__name__}{hint}, not {_short(value)}.")
    if type(value) is float:
        _require(math.isfinite(value), place, "finite", value)
    return value


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    _require(value in allowed, name, f"one of {', '.join(map(str, allowed))}", value)


def _require(holds: bool, name: str, rule: str, received: Any) -> None:
    if not holds:
        raise ConfigurationError(f"{name} must be {rule}, not {received}.")


def _short(value: Any) -> str:
    """Return a value as it is written, at most a line of it: YAML's aliases make small files into endless values."""
    return reprlib.repr(value)
