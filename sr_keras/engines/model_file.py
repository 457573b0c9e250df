"""The base class of engines that run an exported file."""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.engines.manifest import Manifest
from sr_keras.engines.signature import ShapeLimits, Tensor
from sr_keras.errors import DeviceMemoryError, ModelFileError, SrKerasError
from sr_keras.models.cards import StageCard
from sr_keras.resources import MORE_MEMORY, is_shortage, memory_errors


class ModelFileEngine(ABC):
    """Runs an exported file in its runtime, which is imported at the first run.

    Args:
        path: of the file, or of the SavedModel's folder.
        manifest: its description.
        name: how to call the engine; empty is the file's name.

    Attributes:
        threads: of the processor that the runtime may use; None is all cores. Set before the first run.
    """

    threads: int | None = None

    def __init__(self, path: Path, manifest: Manifest, name: str = "") -> None:
        self.path = path
        self.manifest = manifest
        self.name = name or path.name

    @property
    def card(self) -> StageCard:
        """The card of the stage."""
        return self.manifest.card

    @property
    def runtime(self) -> str:
        """The runtime that runs it, for example "onnxruntime"."""
        return FORMATS[self.manifest.format].runtime

    @property
    def shape_limits(self) -> ShapeLimits:
        """The input shapes that `run` accepts."""
        return self.manifest.shape_limits

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`; most runtimes prepare each new size."""
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
            ModelFileError: the shape is outside the limits, or the runtime refuses the file.
            DeviceMemoryError: the batch, or the runtime itself, does not fit into memory.
            MissingDependencyError: the runtime is not installed.
        """
        self.shape_limits.check(images.shape, self.name)
        batch = np.ascontiguousarray(images[..., None], np.float32)
        session = self._session
        with memory_errors(self.name):
            output: Images = self._infer(session, batch)
        return output[..., 0]

    def release(self) -> None:
        """Free what the runtime holds; the next run loads the file again."""
        self.__dict__.pop("_session", None)

    @cached_property
    def _session(self) -> Any:
        try:
            return self._load()
        except (RuntimeError, ValueError, OSError, TypeError) as error:
            raise refused(self.path, self.runtime, error) from error

    @staticmethod
    @abstractmethod
    def embedded(path: Path) -> str | None:
        """Return the metadata embedded in a file, JSON; None if it has none.

        Raises:
            ValueError: the file or its metadata is damaged.
            MissingDependencyError: the package that reads the format is not installed.
        """

    @abstractmethod
    def _load(self) -> Any:
        """Load the file into the runtime and return the runtime's object."""

    @abstractmethod
    def _infer(self, session: Any, batch: Images) -> Images:
        """Return the final output for an input, both (batch, height, width, 1), float32."""


def refused(path: Path, runtime: str, error: Exception) -> SrKerasError:
    """Return the error for a file that its runtime cannot read.

    Args:
        path: of the file.
        runtime: that refused it.
        error: what the runtime raised.
    """
    reason = (str(error).strip().splitlines() or [repr(error)])[0].rstrip(".")
    if is_shortage(error):
        return DeviceMemoryError(f"{runtime} has too little memory to load {path} ({reason[:300]}); {MORE_MEMORY}.")
    return ModelFileError(f"{path} cannot be read by {runtime}: {reason[:300]}; copy or export it again.")
