"""The interface of an engine: something that runs one stage on images."""

from collections.abc import Iterable
from typing import Protocol

import numpy.typing as npt
from numpy import float32

from sr_keras.engines.signature import ShapeLimits, Tensor
from sr_keras.models.cards import StageCard

Images = npt.NDArray[float32]


class Engine(Protocol):
    """A stage that can be run."""

    @property
    def card(self) -> StageCard:
        """The card of the stage."""

    def run(self, images: Images) -> Images:
        """Return the final output for a batch.

        Args:
            images: (batch, height, width), float32, normalised; for the d stage (batch, in-plane, depth).

        Returns:
            The upsampled images, (batch, height * scale, width * scale) or, for the d stage, (batch, in-plane,
            depth * scale), float32, normalised. The engine does not reuse their memory; the caller may modify them
            where they are writable.
        """


class NamedEngine(Engine, Protocol):
    """An engine that describes itself, as `load_engine` returns it."""

    @property
    def name(self) -> str:
        """The model's name, or the file it was loaded from."""

    @property
    def runtime(self) -> str:
        """The runtime that runs it, for example "onnxruntime"."""

    @property
    def shape_limits(self) -> ShapeLimits:
        """The input shapes that `run` accepts."""

    @property
    def dynamic_shape(self) -> bool:
        """Whether new image sizes cost no preparation, and each output pixel is bit-identical whatever the size."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the network."""

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs of the network."""


class ConditionalEngine(Engine, Protocol):
    """An engine of a stage whose weights depend on the scan."""

    @property
    def conditional(self) -> bool:
        """Whether it can be folded for a scan."""

    @property
    def trust(self) -> float:
        """How much of the network's details the scan that it is folded for gets, from 0 to 1."""

    def for_scan(self, description: Iterable[float]) -> Engine:
        """Return the engine folded for a scan.

        Args:
            description: of the scan, see `sr_keras.networks.folding.fold`.
        """
