"""Output convolutions that emit 4x4 pixel blocks, which fill SIMD lanes.

Runtimes compute filters in sixteens, and the convolutions that compute pixels have one, two or four filters, so that
most of the arithmetic is wasted. Instead, a convolution with larger strides and a larger kernel emits a block: its
sixteen filters are the original ones, each at the offset of its pixel and padded with zeros. Products are summed in the
same order, so the image is bit-identical.
"""

from collections import Counter
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
# Rows and columns of a block.
BLOCK = 4
SHUFFLES = {"DepthToSpace", "DepthShuffle"}


class Blocks:
    """The convolutions of a network that can emit blocks.

    Attributes:
        convolutions: by identity, whether their channels are rearranged into pixels by a sub-pixel layer.
        images: identities of the tensors that hold blocks, to be rearranged into images.
        complete: whether every sub-pixel layer reads such a tensor.

    Args:
        network: a Keras functional model with a dictionary of outputs.
        factors: upsampling factors of its sub-pixel layer along height and width.
    """

    def __init__(self, network: Any, factors: tuple[int, int]) -> None:
        self.convolutions: dict[int, bool] = {}
        self.images: set[int] = set()
        self._makers = {id(operation.output): operation for operation in network.operations}
        self._uses = Counter(id(tensor) for operation in network.operations for tensor in inputs_of(operation))
        shuffles = [operation for operation in network.operations if type(operation).__name__ in SHUFFLES]
        for operation in shuffles:
            self._mark(operation.input, factors, shuffled=True)
        self.complete = len(self.images) == len(shuffles)
        for tensor in network.output.values():
            maker = self._makers[id(tensor)]
            self._mark(maker.input if type(maker).__name__ == "Activation" else tensor, (1, 1), shuffled=False)

    def _mark(self, tensor: Any, shuffle: tuple[int, int], *, shuffled: bool) -> None:
        """Mark a tensor, and the convolutions that it comes out of, if all of them can emit blocks."""
        if found := self._layers(tensor, shuffle):
            self.images.add(id(tensor))
            self.convolutions |= {id(layer): shuffled for layer in found}

    def _layers(self, tensor: Any, shuffle: tuple[int, int]) -> list[Any]:
        """Return the convolutions whose sum a tensor is; none if it is used twice or comes out of other layers."""
        maker = self._makers[id(tensor)]
        if self._uses[id(tensor)] > 1:
            return []
        if type(maker).__name__ == "Conv2D":
            return [maker] if _can_widen(maker, shuffle) else []
        parts = [self._layers(each, shuffle) for each in inputs_of(maker)] if type(maker).__name__ == "Add" else []
        return [layer for part in parts for layer in part] if all(parts) else []


def inputs_of(operation: Any) -> list[Any]:
    """Return the tensors that an operation of a Keras model reads."""
    if type(operation).__name__ == "InputLayer":
        return []
    return operation.input if isinstance(operation.input, list) else [operation.input]


def widened(
    kernel: Floats, bias: list[Floats], shuffle: tuple[int, int]
) -> tuple[Floats, list[Floats], dict[str, Any]]:
    """Return a convolution that emits blocks of pixels, row by row.

    Args:
        kernel: of the original convolution, (filters, channels, rows, columns).
        bias: its bias, if it has one: (filters,).
        shuffle: rows and columns of the pixels that its filters compute.

    Returns:
        Kernel, bias, and the attributes `strides` and `pads` of the new convolution.
    """
    strides = [BLOCK // factor for factor in shuffle]
    _, channels, *lengths = kernel.shape
    size = [length + stride - 1 for length, stride in zip(lengths, strides, strict=True)]
    wide = np.zeros((BLOCK, BLOCK, channels, *size), np.float32)
    for row, column in np.ndindex(*strides):
        place = np.s_[:, :, :, row : row + lengths[0], column : column + lengths[1]]
        pixels = np.s_[row * shuffle[0] : (row + 1) * shuffle[0], column * shuffle[1] : (column + 1) * shuffle[1]]
        wide[pixels][place] = kernel.reshape(*shuffle, channels, *lengths)
    before = [length // 2 for length in lengths]
    after = [margin + stride - 1 for margin, stride in zip(before, strides, strict=True)]
    biases = [np.tile(each.reshape(shuffle), strides).ravel() for each in bias]
    return wide.reshape(BLOCK**2, channels, *size), biases, {"strides": strides, "pads": before + after}


def _can_widen(layer: Any, shuffle: tuple[int, int]) -> bool:
    """Return whether a convolution has a filter for each of fewer pixels than a block's, and an odd kernel."""
    odd = all(length % 2 for length in layer.kernel_size)
    divides = not any(BLOCK % factor for factor in shuffle)
    return odd and divides and layer.filters == prod(shuffle) < BLOCK**2
