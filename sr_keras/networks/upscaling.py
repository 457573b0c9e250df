"""The upscaling layers that all families share."""

from typing import Any

import keras
from keras import layers, ops

from sr_keras.networks import StageName


def pixel_shuffle(images: Any, stage: StageName, scale: int) -> Any:
    """Spread the channels of an image out in place: the sub-pixel layer of W. Shi et al., CVPR 2016, DOI
    10.1109/CVPR.2016.207.

    Args:
        images: (batch, height, width, scale * scale) for the hw stage, (batch, in-plane, depth, scale) for the d stage.
        stage: "hw" enlarges both axes, "d" the second one.
        scale: the factor.

    Returns:
        (batch, height * scale, width * scale, 1), or (batch, in-plane, depth * scale, 1).
    """
    return ops.depth_to_space(images, scale) if stage == "hw" else DepthShuffle(scale, name="upscaling")(images)


@keras.saving.register_keras_serializable("sr_keras")
class DepthShuffle(layers.Layer):
    """The sub-pixel layer along the second axis of an image only.

    Input shape:
        (batch, in-plane, depth, scale).

    Output shape:
        (batch, in-plane, depth * scale, 1).
    """

    def __init__(self, scale: int, **options: Any) -> None:
        super().__init__(**options)
        self.scale = scale

    def call(self, images: Any) -> Any:
        """Return the images with their channels interleaved along the depth."""
        batch, in_plane, depth, _ = ops.shape(images)
        return ops.reshape(images, (batch, in_plane, depth * self.scale, 1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the output for a shape of the input; None is free."""
        batch, in_plane, depth, _ = input_shape
        return batch, in_plane, None if depth is None else depth * self.scale, 1

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "scale": self.scale}
