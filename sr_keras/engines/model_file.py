"""What the engines of all exported files share."""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sr_keras.engines.interface import Images
from sr_keras.engines.manifest import Manifest
from sr_keras.engines.signature import ShapeLimits, Tensor
from sr_keras.errors import ModelFileError
from sr_keras.models.stages import StageCard
from sr_keras.resources import memory_errors


class ModelFileEngine(ABC):
    """Runs an exported file in its own runtime, which is loaded at the first run.

    Args:
        path: of the file, or of the folder.
        manifest: what it is.
        name: what to call it; the file's name if empty.
    """

    runtime: ClassVar[str]

    def __init__(self, path: Path, manifest: Manifest, name: str = "") -> None:
        self.path = path
        self.manifest = manifest
        self.name = name or path.name

    @property
    def card(self) -> StageCard:
        """What the stage is."""
        return self.manifest.card

    @property
    def shape_limits(self) -> ShapeLimits:
        """The batches that `run` takes."""
        return self.manifest.shape_limits

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`; most runtimes prepare themselves for each size anew."""
        return False

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the network."""
        return self.manifest.inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs of the network."""
        return self.manifest.outputs

    def run(self, images: Images) -> Images:
        """Return the final output for a batch; see `Engine.run`.

        Raises:
            ModelFileError: the batch is outside the limits, or the runtime refuses the file.
            DeviceMemoryError: the batch does not fit into the device's memory.
            MissingDependencyError: the runtime is not installed.
        """
        self.shape_limits.check(images.shape, self.name)
        batch = np.ascontiguousarray(images[..., None], np.float32)
        session = self._session
        with memory_errors(self.name):
            output: Images = self._infer(session, batch)
        return output[..., 0]

    @cached_property
    def _session(self) -> Any:
        try:
            return self._load()
        except (RuntimeError, ValueError, OSError, TypeError) as error:
            raise refused(self.path, self.runtime, error) from error

    @staticmethod
    @abstractmethod
    def embedded(path: Path) -> str | None:
        """Return the facts that lie inside a file, JSON; None if there are none."""

    @abstractmethod
    def _load(self) -> Any:
        """Return what the runtime makes of the file."""

    @abstractmethod
    def _infer(self, session: Any, batch: Images) -> Images:
        """Return the final output (batch, height, width, 1) for an input of that layout, both float32."""


def refused(path: Path, runtime: str, error: Exception) -> ModelFileError:
    """Return the error for a file that its runtime cannot read."""
    reason = (str(error).strip().splitlines() or [repr(error)])[0]
    return ModelFileError(
        f"{path} must be a whole file that {runtime} can read. Received: one that it refuses: {reason[:300]}. "
        "Copy or export it again."
    )
