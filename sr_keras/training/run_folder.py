"""What lies where in the folder of a training run, and what decides the run."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf

from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.files import distinct_names, file_sha256
from sr_keras.training.configuration import Configuration, format_configuration, parse_configuration, read_configuration


@dataclass(frozen=True)
class RunFolder:
    """The folder of a training run."""

    folder: Path

    @property
    def configuration(self) -> Path:
        """The resolved configuration, YAML."""
        return self.folder / "configuration.yaml"

    @property
    def description(self) -> Path:
        """Scans with their SHA-256, configuration, seed and versions, JSON."""
        return self.folder / "run.json"

    @property
    def log(self) -> Path:
        """Losses and metrics of each epoch, CSV."""
        return self.folder / "log.csv"

    @property
    def seconds(self) -> Path:
        """How long each epoch took, JSON: apart from the log, which a repeated run repeats."""
        return self.folder / "seconds.json"

    @property
    def last(self) -> Path:
        """Weights and optimizer state after the last whole epoch, HDF5."""
        return self.folder / "last.weights.h5"

    @property
    def best(self) -> Path:
        """Weights of the best epoch, HDF5."""
        return self.folder / "best.weights.h5"

    @property
    def start(self) -> Path:
        """Card of the stage that the network began at, JSON, with its weights beside it; missing if there was none."""
        return self.folder / "start.json"

    @property
    def cache(self) -> Path:
        """Folder of the normalised scans, which a finished run no longer has."""
        return self.folder / "cache"

    def create(self, configuration: Configuration, description: dict[str, Any]) -> None:
        """Make the folder with its configuration and description.

        Args:
            configuration: what to train and how.
            description: as `describe` returns it.
        """
        self.folder.mkdir()
        self.configuration.write_text(format_configuration(configuration))
        self.description.write_text(json.dumps(description, indent=2) + "\n")

    def read(self) -> tuple[Configuration, dict[str, Any]]:
        """Return configuration and description of a run that can be resumed.

        Raises:
            ConfigurationError: the folder is not a run's, or its configuration or a scan is not what it was.
        """
        if not (self.configuration.is_file() and self.description.is_file()):
            raise ConfigurationError(f"{self.folder} has no configuration.yaml and run.json; give the folder of a run.")
        description, configuration = self._description(), read_configuration(self.configuration)
        # Parsed, so that a run begun before an option existed has that option's default.
        if parse_configuration(description["configuration"]) != configuration:
            raise ConfigurationError(f"{self.configuration} has changed since the run began; undo the change.")
        for name, digest in (*description["training"].items(), *description["validation"].items()):
            if not Path(name).is_file() or file_sha256(Path(name)) != digest:
                raise ConfigurationError(f"{name} is gone or has changed since the run began; put it back to resume.")
        return configuration, description

    def _description(self) -> dict[str, Any]:
        try:
            description: dict[str, Any] = json.loads(self.description.read_text())
            return {name: description[name] for name in ("training", "validation", "configuration", "versions")}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigurationError(
                f"{self.description} is damaged or of another version of sr_keras; start a new run."
            ) from error


def describe(
    configuration: Configuration,
    training: Sequence[str | os.PathLike[str]],
    validation: Sequence[str | os.PathLike[str]],
) -> dict[str, Any]:
    """Return what decides a run, to be compared when it is resumed from any folder.

    Args:
        configuration: what to train and how.
        training: NIfTI files to learn from.
        validation: NIfTI files to choose the best epoch by.

    Returns:
        SHA-256 by absolute path of each scan, the configuration, its seed, and versions.

    Raises:
        VolumeError: a scan cannot be read.
    """
    scans = {"training": training, "validation": validation}
    return {
        **{part: {str(Path(path).absolute()): _digest(Path(path)) for path in paths} for part, paths in scans.items()},
        "configuration": asdict(configuration),
        "seed": configuration.training.seed,
        "versions": {name: version(name) for name in ("sr_keras", "keras", "numpy")} | {"tensorflow": tf.__version__},
        "python": platform.python_version(),
    }


def short_names(digests: dict[str, str]) -> dict[str, str]:
    """Return digests by file name; where two files share one, all are named from their common folder on."""
    names = distinct_names([Path(path) for path in digests])
    return dict(zip(names, digests.values(), strict=True))


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise VolumeError(f"{path} cannot be read: {error.strerror or error}.") from error
