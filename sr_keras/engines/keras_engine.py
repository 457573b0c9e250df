"""The engine that runs a stage on Keras."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, cast

import numpy as np

from sr_keras.engines.interface import Images
from sr_keras.engines.signature import ShapeLimits, Tensor, tensors
from sr_keras.errors import ConfigurationError
from sr_keras.framework import load_keras
from sr_keras.models.cards import StageCard
from sr_keras.models.own import ModelStage, stage_of_model
from sr_keras.models.stages import Stage, TrainedStage
from sr_keras.networks import StageName
from sr_keras.resources import memory_errors


class KerasEngine:
    """Runs a stage on Keras, on the backend that Keras is configured for. Keras is imported at the first run.

    Args:
        model: a trained stage, as `find_stage` returns it, or a Keras model. A model takes (batch, height, width, 1),
            normalised intensities, height and width free, and returns one tensor or a dictionary with `final`: (batch,
            height * scale, width * scale, 1), for the d stage (batch, in-plane, depth * scale, 1). Its factors and its
            receptive field are found by running it on small images.
        stage: of a Keras model, "hw" or "d".
        scale: of a Keras model: its upsampling factor, 2 or more.

    Raises:
        ConfigurationError: a Keras model comes without stage and scale, or has another input or other outputs.

    >>> import numpy as np
    >>> from sr_keras import KerasEngine, find_stage
    >>> engine = KerasEngine(find_stage("fast_hw_x2"))
    >>> engine.run(np.zeros((2, 16, 24), np.float32)).shape
    (2, 32, 48)

    >>> import keras
    >>> images = keras.Input((None, None, 1))
    >>> bilinear = keras.Model(images, keras.layers.UpSampling2D(2, interpolation="bilinear")(images))
    >>> KerasEngine(bilinear, stage="hw", scale=2).card.receptive_field_radius
    (1, 1)
    """

    runtime = "Keras"
    shape_limits = ShapeLimits()
    dynamic_shape = False
    inputs: tuple[Tensor, ...] = tensors(("lr",), (None, None, None))
    outputs: tuple[Tensor, ...] = tensors(("final", "intermediate"), (None, None, None))

    def __init__(self, model: Stage | Any, stage: StageName | None = None, scale: int | None = None) -> None:
        if isinstance(model, (TrainedStage, ModelStage)):
            if stage is not None or scale is not None:
                raise ConfigurationError("A trained stage has a stage and a scale on its card; leave both out.")
            self.stage: Stage = model
        elif stage is None or scale is None:
            raise ConfigurationError("Give the stage and the scale of a Keras model, as in stage='hw', scale=2.")
        else:
            self.stage = stage_of_model(model, stage, scale)

    @property
    def name(self) -> str:
        """The shipped name, the path given to `find_stage`, or that of a Keras model with its stage and scale."""
        return self.stage.name

    @property
    def card(self) -> StageCard:
        """The card of the stage."""
        return self.stage.card

    @property
    def conditional(self) -> bool:
        """Whether it can be folded for a scan."""
        return isinstance(self.stage, TrainedStage) and self.stage.conditional

    @property
    def trust(self) -> float:
        """How much of the network's details the scan that it is folded for gets, from 0 to 1."""
        if not (isinstance(self.stage, TrainedStage) and self.stage.conditional):
            return 1.0
        return self.stage.conditional_weights.trust(np.asarray(self.card.description, np.float32))

    def for_scan(self, description: Iterable[float]) -> "KerasEngine":
        """Return the engine of a conditional stage folded for a scan.

        Args:
            description: of the scan, see `sr_keras.networks.folding.fold`.
        """
        return KerasEngine(cast(TrainedStage, self.stage).for_scan(description))

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
        network = self.stage.network
        return load_keras().Model(network.input, network.output["final"])
