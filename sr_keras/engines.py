"""What runs a trained stage on images."""

from functools import cached_property
from typing import Any, Protocol

import numpy.typing as npt
from numpy import float32

from sr_keras.framework import load_keras
from sr_keras.stages import StageCard, TrainedStage

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
            The same with its enlarged axes, float32, normalised.
        """


class KerasEngine:
    """Runs a stage on Keras, on whichever backend it is set to; loads it when it first runs.

    Args:
        stage: a trained stage, as `find_stage` returns it.
    """

    def __init__(self, stage: TrainedStage) -> None:
        self._stage = stage

    @property
    def card(self) -> StageCard:
        """What the stage is."""
        return self._stage.card

    def run(self, images: Images) -> Images:
        """Return the final output for a batch; see `Engine.run`.

        Raises:
            StageError: the weights are damaged or do not fit.
            MissingDependencyError: Keras is not installed.
        """
        output: Images = self._model.predict_on_batch(images[..., None])[..., 0]
        return output

    @cached_property
    def _model(self) -> Any:
        network = self._stage.network
        return load_keras().Model(network.input, network.output["final"])
