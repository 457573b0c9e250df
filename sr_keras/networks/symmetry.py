"""Mirror symmetry of a chain: an image mirrored along an upsampled axis gives the mirrored result.

At x2 the sub-pixels of an upsampled pixel are mirror images of each other, so that a symmetric chain treats them all
alike and prints no lattice. It is the group convolution of T. S. Cohen, M. Welling, "Group Equivariant Convolutional
Networks", ICML 2016, arXiv 1602.07576, for the mirrorings of an image, written as a mean of kernels.

Channels are ordered (row parity, column parity, filter): mirroring rows reverses the first, mirroring columns the
second.
"""

from typing import Any

from keras import ops

from sr_keras.networks import StageName, output_factors

# (row parities, column parities, filters): how channels are ordered.
Order = tuple[int, int, int]
# Channels have a twin for each way to mirror an axis.
TWINS = 2
IMAGE: Order = (1, 1, 1)


def features_order(stage: StageName, filters: int) -> Order:
    """Return the order of the channels of a layer with `filters`, a multiple of 4."""
    return (TWINS, TWINS, filters // TWINS**2) if stage == "hw" else (1, TWINS, filters // TWINS)


def pixels_order(stage: StageName, scale: int) -> Order:
    """Return the order of the channels that the sub-pixel layer takes: one for each pixel it makes of one."""
    height, width = output_factors(stage, scale)
    return height, width, 1


def symmetric_kernels(kernels: Any, incoming: Order, outgoing: Order) -> Any:
    """Return the nearest kernels whose convolution commutes with mirroring.

    Args:
        kernels: (n, height, width, in, out).
        incoming: order of the channels in.
        outgoing: order of the channels out; an axis with one parity is not mirrored.

    Returns:
        Tensor of the same shape.
    """
    shape = ops.shape(kernels)
    count, height, width = shape[:3]
    (rows, columns, filters), (new_rows, new_columns, new_filters) = incoming, outgoing
    # Axes that stay are joined: TensorFlow mirrors tensors of at most eight.
    if new_rows > 1:
        joined = (count, height, width, rows, columns * filters, new_rows, new_columns * new_filters)
        split = ops.reshape(kernels, joined)
        kernels = 0.5 * (split + ops.flip(split, (1, 3, 5)))
    if new_columns > 1:
        split = ops.reshape(kernels, (count * height, width, *incoming, *outgoing))
        kernels = 0.5 * (split + ops.flip(split, (1, 3, 6)))
    return ops.reshape(kernels, shape)


def symmetric_channels(values: Any, order: Order, repeats: int = 1) -> Any:
    """Return the nearest values of channels that mirroring does not change.

    Args:
        values: (..., repeats * channels).
        order: of the channels; an axis with one parity is not mirrored.
        repeats: how many values each channel has.

    Returns:
        Tensor of the same shape.
    """
    shape = ops.shape(values)
    split = ops.reshape(values, (*shape[:-1], repeats, *order))
    for axis, parities in ((-3, order[0]), (-2, order[1])):
        split = 0.5 * (split + ops.flip(split, axis)) if parities > 1 else split
    return ops.reshape(split, shape)
