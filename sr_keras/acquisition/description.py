"""What a scanner did to make a low-resolution scan: one description for training, evaluation and tests, as YAML."""

from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml

from sr_keras.acquisition.profiles import PROFILES
from sr_keras.errors import ConfigurationError

WindowName = Literal["none", "fermi", "tukey", "hamming"]
NoiseName = Literal["none", "rician", "coloured"]
METHODS = ("k_space", *PROFILES)
WINDOWS: tuple[WindowName, ...] = ("none", "fermi", "tukey", "hamming")
NOISES: tuple[NoiseName, ...] = ("none", "rician", "coloured")


@dataclass(frozen=True)
class InPlane:
    """How rows and columns are reduced.

    Attributes:
        method: "k_space", or the point-spread function along each axis: "cubic" (antialiased interpolation),
            "gaussian", "box", "slr" or "raised_cosine".
        width: full width at half maximum of the point-spread function along rows' axis, in low-resolution voxels.
        anisotropy: by how much coarser the resolution is along the columns' axis: the width there, relative to `width`;
            of k-space, the part acquired there is as much smaller.
        blur: standard deviation of a Gaussian before cubic interpolation, in high-resolution voxels.
        window: over k-space: "none", "fermi", "tukey" or "hamming".
        cutoff: of the Fermi window, relative to the Nyquist frequency.
        fall: width of the Fermi window, or the taper of the Tukey window, relative to the Nyquist frequency.
        alpha: of the Hamming window.
        acquired: the part of the matrix that is acquired; the rest is zero-filled.
        partial_fourier: the part of the acquired rows' k-space that is measured.
    """

    method: str = "cubic"
    width: float = 1.0
    anisotropy: float = 1.0
    blur: float = 0.0
    window: str = "none"
    cutoff: float = 0.9
    fall: float = 0.1
    alpha: float = 0.54
    acquired: float = 1.0
    partial_fourier: float = 1.0


@dataclass(frozen=True)
class ThroughPlane:
    """How slices are reduced.

    Attributes:
        profile: "cubic" (antialiased interpolation), "slr", "gaussian", "box" or "raised_cosine".
        thickness: full width at half maximum over the spacing of the low-resolution slices.
        blur: standard deviation of a Gaussian before cubic interpolation, in high-resolution voxels.
    """

    profile: str = "cubic"
    thickness: float = 1.0
    blur: float = 0.0


@dataclass(frozen=True)
class Noise:
    """The noise of a low-resolution voxel.

    Attributes:
        kind: "none", "rician" (MRI) or "coloured" (CT).
        level: standard deviation: of Rician noise in % of the data range, of coloured noise in HU.
        peak: where coloured noise has its greatest power, in cycles a low-resolution voxel.
        correlation: of coloured noise between neighbouring slices.
    """

    kind: str = "none"
    level: float = 0.0
    peak: float = 0.15
    correlation: float = 0.25


@dataclass(frozen=True)
class Acquisition:
    """How a scanner makes a low-resolution scan.

    Attributes:
        in_plane: what happens along rows and columns where these are reduced.
        through_plane: what happens along the through-plane axis where that is reduced.
        noise: of the result.

    Raises:
        ConfigurationError: a value is out of its range, or noise of CT is asked for in the k-space of MRI.
    """

    in_plane: InPlane = InPlane()
    through_plane: ThroughPlane = ThroughPlane()
    noise: Noise = Noise()

    def __post_init__(self) -> None:
        in_plane, through_plane, noise = self.in_plane, self.through_plane, self.noise
        _one_of("in_plane.method", in_plane.method, METHODS)
        _one_of("in_plane.window", in_plane.window, WINDOWS)
        _one_of("through_plane.profile", through_plane.profile, PROFILES)
        _one_of("noise.kind", noise.kind, NOISES)
        if in_plane.method == "k_space" and noise.kind == "coloured":
            raise ConfigurationError("noise.kind coloured is of CT, in_plane.method k_space of MRI; use rician.")
        for name, value, low, high in (
            ("in_plane.width", in_plane.width, 0.1, 10.0),
            ("in_plane.anisotropy", in_plane.anisotropy, 0.1, 10.0),
            ("in_plane.blur", in_plane.blur, 0.0, 10.0),
            ("in_plane.cutoff", in_plane.cutoff, 0.1, 2.0),
            ("in_plane.fall", in_plane.fall, 0.001, 1.0),
            ("in_plane.alpha", in_plane.alpha, 0.5, 1.0),
            ("in_plane.acquired", in_plane.acquired, 0.1, 1.0),
            ("in_plane.partial_fourier", in_plane.partial_fourier, 0.5, 1.0),
            ("through_plane.thickness", through_plane.thickness, 0.1, 10.0),
            ("through_plane.blur", through_plane.blur, 0.0, 10.0),
            ("noise.level", noise.level, 0.0, 1000.0),
            ("noise.peak", noise.peak, 0.01, 1.0),
            ("noise.correlation", noise.correlation, 0.0, 0.5),
        ):
            if not low <= value <= high:
                raise ConfigurationError(f"{name} must be between {low:g} and {high:g}. Received: {value}.")


def parse_acquisition(tree: Any) -> Acquisition:
    """Return the acquisition that nested dictionaries describe; what is not given keeps its default.

    Raises:
        ConfigurationError: a key is unknown, or a value has the wrong type or is out of its range.
    """
    parts = {"in_plane": InPlane, "through_plane": ThroughPlane, "noise": Noise}
    return Acquisition(
        **{key: _parsed(parts[key], value, f"{key}.") for key, value in _known(tree, tuple(parts), "").items()}
    )


def read_acquisition(path: Path) -> Acquisition:
    """Read an acquisition from a YAML file.

    Raises:
        ConfigurationError: the file cannot be read, is not YAML, or a key or a value is wrong.
    """
    try:
        return parse_acquisition(yaml.safe_load(path.read_text()) or {})
    # ValueError: bytes that are no text, days that no month has.
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path} is no description of an acquisition: {reason}.") from error


def format_acquisition(acquisition: Acquisition) -> str:
    """Return the YAML that `read_acquisition` reads back, every default written out."""
    text: str = yaml.safe_dump(asdict(acquisition), sort_keys=False)
    return text


def _known(tree: Any, keys: tuple[str, ...], place: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise ConfigurationError(
            f"{place or 'An acquisition'} must be a mapping of keys to values. Received: {tree!r}."
        )
    for key in tree:
        if key not in keys:
            nearest = get_close_matches(str(key), keys, n=1, cutoff=0)[0]
            raise ConfigurationError(f"Every key must be known. Received: {place}{key}. Did you mean {place}{nearest}?")
    return tree


def _parsed(kind: type[Any], tree: Any, place: str) -> Any:
    types: dict[str, Any] = {field.name: field.type for field in fields(kind)}
    values = {}
    for key, value in _known(tree, tuple(types), place).items():
        converted = float(value) if types[key] is float and type(value) is int else value
        if type(converted) is not types[key]:
            raise ConfigurationError(f"{place}{key} must be of type {types[key].__name__}. Received: {value!r}.")
        values[key] = converted
    return kind(**values)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}. Received: {value}.")
