"""The engine that runs a trained stage on Keras."""

from functools import cached_property
from typing import Any

from sr_keras.engines.interface import Images
from sr_keras.engines.signature import ShapeLimits, Tensor, tensors
from sr_keras.framework import load_keras
from sr_keras.models.stages import StageCard, TrainedStage
from sr_keras.resources import memory_errors


class KerasEngine:
    """Runs a stage on Keras, on the backend that Keras is configured for. Keras is imported at the first run.

    Args:
        stage: a trained stage, as `find_stage` returns it.

    >>> import numpy as np
    >>> from sr_keras import KerasEngine, find_stage
    >>> engine = KerasEngine(find_stage("fast_hw_x2"))
    >>> engine.run(np.zeros((2, 16, 24), np.float32)).shape
    (2, 32, 48)
    """

    runtime = "Keras"
    shape_limits = ShapeLimits()
    dynamic_shape = False
    inputs: tuple[Tensor, ...] = tensors(("lr",), (None, None, None))
    outputs: tuple[Tensor, ...] = tensors(("final", "intermediate"), (None, None, None))

    def __init__(self, stage: TrainedStage) -> None:
        self._stage = stage

    @property
    def name(self) -> str:
        """The shipped name, or the path given to `find_stage`."""
        return self._stage.name

    @property
    def card(self) -> StageCard:
        """The card of the stage."""
        return self._stage.card

    def run(self, images: Images) -> Images:
        """Return the final output for a batch; see `Engine.run`.

        Raises:
            StageError: the weights are damaged or do not fit the network.
            MissingDependencyError: Keras is not installed.
            DeviceMemoryError: the batch does not fit into the device's memory.
        """
        model = self._model
        with memory_errors(self.name):
            output: Images = model.predict_on_batch(images[..., None])[..., 0]
        return output

    @cached_property
    def _model(self) -> Any:
        network = self._stage.network
        return load_keras().Model(network.input, network.output["final"])
