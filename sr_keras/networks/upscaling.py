"""Upscaling layers shared by all families."""

from typing import Any

import keras
from keras import layers, ops

from sr_keras.networks import StageName, output_factors
from sr_keras.volumes.resampling import interpolation_kernel

# Taps of cubic interpolation along an axis, centred on the low-resolution pixel whose phases they compute.
CUBIC_TAPS = 5


def pixel_shuffle(images: Any, stage: StageName, scale: int) -> Any:
    """Rearrange channels into pixels: the sub-pixel layer of W. Shi et al., CVPR 2016, DOI 10.1109/CVPR.2016.207.

    Args:
        images: (batch, height, width, scale * scale) for the hw stage, (batch, in-plane, depth, scale) for the d stage.
        stage: "hw" upsamples both axes, "d" the second one.
        scale: upsampling factor.

    Returns:
        (batch, height * scale, width * scale, 1), or (batch, in-plane, depth * scale, 1).
    """
    return ops.depth_to_space(images, scale) if stage == "hw" else DepthShuffle(scale, name="upscaling")(images)


def cubic_phases(images: Any, stage: StageName, scale: int) -> Any:
    """Interpolate images by the cubic kernel, with the upsampled pixels as channels, the layout `pixel_shuffle` takes.

    It is a convolution with a fixed kernel, which every engine runs. It is float32 whatever the precision of the
    network, since the image itself passes through it. Like the other convolutions it pads with zeros.

    Args:
        images: (batch, height, width, 1), float32; for the d stage (batch, in-plane, depth, 1).
        stage: "hw" upsamples both axes, "d" the second one.
        scale: upsampling factor.

    Returns:
        (batch, height, width, scale * scale), or (batch, in-plane, depth, scale).
    """
    height, width = (CUBIC_TAPS if factor > 1 else 1 for factor in output_factors(stage, scale))
    factor = scale * scale if stage == "hw" else scale
    layer = layers.Conv2D(
        factor,
        (height, width),
        padding="same",
        use_bias=False,
        kernel_initializer=CubicKernel(stage, scale),
        trainable=False,
        dtype="float32",
        name="cubic",
    )
    return layer(images)


@keras.saving.register_keras_serializable("sr_keras")
class CubicKernel(keras.initializers.Initializer):
    """The kernel of `cubic_phases`: for each phase of an upsampled pixel, the weights of the pixels around it.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor.
    """

    taps = CUBIC_TAPS

    def __init__(self, stage: StageName, scale: int) -> None:
        self.stage, self.scale = stage, scale

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return the kernel.

        Args:
            shape: (taps along height, taps along width, 1, phases).
            dtype: of the kernel; None is Keras's default.
        """
        kernel = interpolation_kernel(output_factors(self.stage, self.scale), self.taps).reshape(shape)
        return ops.convert_to_tensor(kernel, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"stage": self.stage, "scale": self.scale}


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
