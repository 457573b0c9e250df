"""What an engine is: something that runs one stage on images."""

from typing import Protocol

import numpy.typing as npt
from numpy import float32

from sr_keras.engines.signature import ShapeLimits, Tensor
from sr_keras.models.stages import StageCard

Images = npt.NDArray[float32]


class Engine(Protocol):
    """A stage that can be run."""

    @property
    def card(self) -> StageCard:
        """What the stage is."""

    def run(self, images: Images) -> Images:
        """Return the final output for a batch.

        Args:
            images: (batch, height, width), float32, normalised; for the d stage (batch, in-plane, depth).

        Returns:
            The same with its enlarged axes, float32, normalised, in memory that no later run uses: the caller may write
            to it where it can be written to.
        """


class NamedEngine(Engine, Protocol):
    """An engine that says what it takes and gives: what `load_engine` returns."""

    @property
    def name(self) -> str:
        """The model's name, or the file it was loaded from."""

    @property
    def runtime(self) -> str:
        """What runs it."""

    @property
    def shape_limits(self) -> ShapeLimits:
        """The batches that `run` takes."""

    @property
    def dynamic_shape(self) -> bool:
        """Whether images of many sizes are as fast as those of one, and the same bit for bit where they overlap."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the network."""

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs of the network."""
