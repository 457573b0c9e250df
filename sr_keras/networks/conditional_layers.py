"""Layers whose weights depend on the scan: mixed from a few bases, scaled and shifted.

Y. Chen et al., "Dynamic Convolution", CVPR 2020, DOI
10.1109/CVPR42600.2020.01104; E. Perez et al., "FiLM", AAAI 2018, DOI 10.1609/aaai.v32i1.11671.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sr_keras.networks import StageName, output_factors
from sr_keras.networks.folding import LARGEST_DEVIATION, LINEAR_TAPS, largest_scores
from sr_keras.networks.symmetry import IMAGE, Order, symmetric_channels, symmetric_kernels
from sr_keras.networks.upscaling import CubicKernel

# Fingerprints that stand for the training mixture.
MEMBERS = 256
# Standard deviation of the bases at first, over that of the shared kernel, and where that begins at zero.
BASES_SHARE, LEAST_SPREAD = 0.2, 1e-3
# Standard deviation of the noise by which fingerprints are blurred in training, in standard deviations of the mixture.
BLUR = 0.3
# The variables of a conditional convolution.
PARTS = ("kernel", "bias", "bases", "mixing", "film")


@keras.saving.register_keras_serializable("sr_keras")
class ConditionalConv2D(layers.Layer):
    """A convolution whose kernel is a mixture of bases, then scaled and shifted, as a description of the scan says.

    It commutes with mirroring (`sr_keras.networks.symmetry`).

    Args:
        filters: output channels.
        kernel_size: (height, width).
        bases: kernels that are added to the first one, each by its own amount.
        activation: "relu" or "linear".
        groups: in training a batch consists of this many equal parts, the images of each being of one scan; else all
            images of a batch are of one scan.
        first_kernel: an initializer for the kernel; None takes He's, or zeros for a linear layer.
        incoming: order of the input channels.
        outgoing: order of the output channels.

    Input shape:
        Images (batch, height, width, channels), and numbers (batch, features) made of the description of the scan.

    Output shape:
        (batch, height, width, filters).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int] = (3, 3),
        bases: int = 3,
        activation: str = "relu",
        groups: int = 1,
        first_kernel: Any = None,
        incoming: Order = IMAGE,
        outgoing: Order = IMAGE,
        **options: Any,
    ) -> None:
        super().__init__(autocast=False, **options)
        self.incoming, self.outgoing = incoming, outgoing
        self.filters, self.kernel_size, self.bases = filters, tuple(kernel_size), bases
        self.activation, self.groups, self.first_kernel = activation, groups, first_kernel

    def build(self, images_shape: tuple[int | None, ...], features_shape: tuple[int | None, ...]) -> None:
        """Make the kernels, the bias and the layer that mixes them."""
        channels = int(images_shape[-1] or 1)
        shape = (*self.kernel_size, channels, self.filters)
        # A chain begins as interpolation: what it adds to that begins at zero.
        # The mean of twins has less variance than each, so He's is made larger.
        he = keras.initializers.VarianceScaling(2.0 * self._twins, "fan_in", "uniform")
        first = self.first_kernel or (he if self.activation == "relu" else "zeros")
        bases = keras.initializers.RandomNormal(stddev=self._spread(shape))
        self.kernel = self._add("kernel", shape, first)
        self.bias = self._add("bias", (self.filters,), "zeros")
        self.basis_kernels = self._add("bases", (self.bases, *shape), bases)
        self.mixing = self._add("mixing", (features_shape[-1], self.bases), "glorot_uniform")
        self.film = self._add("film", (features_shape[-1], 2 * self.filters), "zeros")

    def _add(self, name: str, shape: tuple[int | None, ...], initializer: Any) -> Any:
        # Kernels are mixed in float32 and cast only then.
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def compute_output_shape(
        self, images_shape: tuple[int | None, ...], features_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the shape of the output."""
        del features_shape
        return (*images_shape[:3], self.filters)

    def compute_output_spec(self, images: Any, features: Any, training: bool = False) -> Any:
        """Return a symbolic tensor of the output."""
        del training
        return keras.KerasTensor(self.compute_output_shape(images.shape, features.shape), dtype=self.compute_dtype)

    @property
    def _twins(self) -> int:
        return self.outgoing[0] * self.outgoing[1]

    def _spread(self, shape: Sequence[Any]) -> float:
        """Return how large the bases are at first: small beside the kernel that all scans share."""
        if self.activation != "relu":
            return LEAST_SPREAD
        return float(BASES_SHARE * np.sqrt(2.0 * self._twins / np.prod(shape[:3])))

    def symmetric(self) -> dict[str, Any]:
        """Return what the layer has learned, by the names of `PARTS`, so that it commutes with mirroring."""
        kernels = ops.concatenate([self.kernel[None], self.basis_kernels])
        kernels = symmetric_kernels(kernels, self.incoming, self.outgoing)
        return {
            "kernel": kernels[0],
            "bias": symmetric_channels(self.bias, self.outgoing),
            "bases": kernels[1:],
            "mixing": ops.convert_to_tensor(self.mixing),
            "film": symmetric_channels(self.film, self.outgoing, 2),
        }

    def _weights_for(self, parts: dict[str, Any], features: Any) -> tuple[Any, Any]:
        """Return the kernel and the bias for one scan's features (features,)."""
        amounts = ops.matmul(features[None], parts["mixing"])[0]
        kernel = parts["kernel"] + ops.tensordot(amounts, parts["bases"], axes=1)
        scale, offset = ops.split(ops.matmul(features[None], parts["film"])[0], 2)
        return kernel * (1.0 + scale), parts["bias"] * (1.0 + scale) + offset

    def _convolved(self, images: Any, kernel: Any) -> Any:
        """Return the convolution; of one channel as a product of patches and a matrix."""
        if kernel.shape[2] > 1:
            return ops.conv(images, kernel, padding="same")
        patches = ops.image.extract_patches(images, self.kernel_size, strides=1, padding="same")
        return ops.matmul(patches, ops.reshape(kernel, (-1, self.filters)))

    def call(self, images: Any, features: Any, training: bool = False) -> Any:
        """Return the convolved images."""
        images = ops.cast(images, self.compute_dtype)
        groups = self.groups if training else 1
        parts = ops.split(images, groups) if groups > 1 else [images]
        size = (features.shape[0] or groups) // groups
        results, learned = [], self.symmetric()
        for number, part in enumerate(parts):
            kernel, bias = self._weights_for(learned, ops.cast(features[number * size], "float32"))
            result = self._convolved(part, ops.cast(kernel, part.dtype)) + ops.cast(bias, part.dtype)
            results.append(ops.relu(result) if self.activation == "relu" else result)
        return ops.concatenate(results) if groups > 1 else results[0]


@keras.saving.register_keras_serializable("sr_keras")
class Standardise(layers.Layer):
    """Numbers relative to their mean, in standard deviations, cut off at `LARGEST_DEVIATION`.

    They are cut off along the principal axes of the mixture first, see `ConditionalWeights.plausible` of
    `sr_keras.networks.folding`. What the layer knows of the mixture is kept as weights. In training a fingerprint is
    blurred by noise, lest the network knows each training scan by its own.

    Args:
        members: (members, numbers - 1), fingerprints of the training mixture; None leaves them and all that follows
            from them to the weights that are loaded.

    Input shape:
        (batch, numbers).

    Output shape:
        (batch, numbers).
    """

    def __init__(self, members: Any = None, **options: Any) -> None:
        super().__init__(trainable=False, **options)
        self.first_members = members
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        shape = (int(input_shape[-1] or 1),)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.deviation = self.add_weight(name="deviation", shape=shape, initializer="ones", trainable=False)
        self.members = self.add_weight(
            name="members", shape=(MEMBERS, shape[0] - 1), initializer="zeros", trainable=False
        )
        if self.first_members is not None:
            # The last number, how much noise is kept, is uniform in 0 to 1.
            self.mean.assign([*np.mean(self.first_members, axis=0), 0.5])
            self.deviation.assign([*np.maximum(np.std(self.first_members, axis=0), 1e-3), 12.0**-0.5])
            self.members.assign(self.first_members)

    def call(self, numbers: Any, training: bool = False) -> Any:
        """Return the standardised numbers."""
        standard = (numbers - self.mean) / self.deviation
        if training:
            noise = keras.random.normal(ops.shape(standard[:, :-1]), 0.0, BLUR, seed=self.seed_generator)
            standard += ops.pad(noise, ((0, 0), (0, 1)))
        return ops.clip(self._plausible(standard), -LARGEST_DEVIATION, LARGEST_DEVIATION)

    def go_on_from(self, step: int) -> None:
        """Blur from now on as at a step of training: weights on disk do not hold the state of the generator."""
        self.seed_generator.state.assign([self.seed_generator.state[0], step])

    def _plausible(self, standard: Any) -> Any:
        members = (self.members - self.mean[:-1]) / self.deviation[:-1]
        _, _, axes = ops.svd(members, full_matrices=False)
        learned, scores = (ops.matmul(each, ops.transpose(axes)) for each in (members, standard[:, :-1]))
        largest = largest_scores(int(members.shape[1])) * ops.std(learned, axis=0)
        cut = ops.minimum(ops.maximum(scores, -largest), largest) - scores
        return ops.concatenate([standard[:, :-1] + ops.matmul(cut, axes), standard[:, -1:]], axis=1)


@keras.saving.register_keras_serializable("sr_keras")
class LinearKernel(CubicKernel):
    """Cubic interpolation as the kernel that the linear part of a chain begins with; see `CubicKernel`."""

    taps = LINEAR_TAPS


def linear_size(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the size of the linear part's kernel along height and width."""
    height, width = (LINEAR_TAPS if factor > 1 else 1 for factor in output_factors(stage, scale))
    return height, width
