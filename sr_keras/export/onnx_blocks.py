"""Lets the convolutions that the pixels of an image come out of make blocks of 4x4 of them.

Runtimes compute filters in sixteens, and these layers have one, two or four, so that most of what is computed is thrown
away. A convolution for blocks takes larger strides over larger patches: its sixteen filters are the old ones, each at
the place of its pixel among zeros. Products are summed in the same order, so that the image is the same bit for bit.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

# Rows and columns of a block.
BLOCK = 4
# What may lie between the convolutions and the image, since it works on each pixel alone.
BY_PIXEL = {"Add", "Relu"}
PLAIN = {"auto_pad": b"SAME_UPPER", "dilations": [1, 1], "group": 1, "strides": [1, 1]}
CHANNELS_LAST, TURNED_CHANNELS_LAST = (0, 2, 3, 1), (0, 3, 2, 1)


def make_blocks(onnx: Any, graph: Any, size: Sequence[int | None], factors: tuple[int, int], *, turned: bool) -> None:
    """Change the convolutions where that is possible; a graph that has none such stays as it is.

    Args:
        onnx: the module.
        graph: of opset 13 or later, with the input `lr`, channels-first but for inputs, outputs and the d stage's
            sub-pixel layer.
        size: height and width of the outputs; None is free.
        factors: by which the outputs' height and width are larger than the input's.
        turned: whether channels-first images have their columns before their rows.
    """
    axes = (2, 1) if turned else (1, 2)
    factors = factors[::-1] if turned else factors
    makers = {output: node for node in graph.node for output in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(output.name for output in graph.output)
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}

    def layers(value: str, shuffle: tuple[int, int]) -> list[Any]:
        """Return the convolutions that make a value, if they alone do and nothing else reads what they make."""
        node = makers.get(value)
        if node is None or uses[value] > 1:
            return []
        if node.op_type == "Conv":
            return [node] if _can_widen(onnx, node, constants, shuffle) else []
        parts = [layers(name, shuffle) for name in node.input] if node.op_type in BY_PIXEL else []
        return [layer for part in parts for layer in part] if all(parts) else []

    # Blocks go beyond the edges of images of other sizes.
    cut = not all(length and length % BLOCK == 0 for length in size)
    nodes: list[Any] = []
    for node in graph.node:
        source, shuffle = _spread(node, makers, factors)
        found = layers(source, shuffle)
        for layer in found:
            _widen(onnx, graph, layer, constants, shuffle)
        nodes.extend(_unblocked(onnx, node, source, cut=cut, turned=turned) if found else [node])
    del graph.node[:]
    graph.node.extend([*_size_of_output(onnx, graph, axes, factors), *nodes])


def _spread(node: Any, makers: dict[str, Any], factors: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """Return whose channels a node lays out as pixels, if it does, and how many rows and columns of them they are."""
    if node.op_type == "DepthToSpace":
        return node.input[0], factors
    if node.op_type == "Reshape":
        # The d stage's sub-pixel layer, of channels-last images.
        return makers[node.input[0]].input[0], factors
    return node.input[0] if node.op_type == "Transpose" else "", (1, 1)


def _can_widen(onnx: Any, layer: Any, constants: dict[str, Any], shuffle: tuple[int, int]) -> bool:
    """Say whether a convolution has one filter for each pixel of a part of a block, and nothing unusual."""
    settings = {item.name: onnx.helper.get_attribute_value(item) for item in layer.attribute}
    filters, _, rows, columns = constants[layer.input[1]].shape
    odd = rows % 2 == columns % 2 == 1
    fits = filters == shuffle[0] * shuffle[1] < BLOCK**2 and not any(BLOCK % factor for factor in shuffle)
    return odd and fits and settings | PLAIN == settings


def _widen(onnx: Any, graph: Any, layer: Any, constants: dict[str, Any], shuffle: tuple[int, int]) -> None:
    """Change a convolution to one that makes a block of pixels, row by row, with each stride."""
    steps = [BLOCK // factor for factor in shuffle]
    kernels = constants[layer.input[1]]
    _, channels, *lengths = kernels.shape
    size = [length + step - 1 for length, step in zip(lengths, steps, strict=True)]
    wide = np.zeros((BLOCK, BLOCK, channels, *size), np.float32)
    for row, column in np.ndindex(*steps):
        place = np.s_[:, :, :, row : row + lengths[0], column : column + lengths[1]]
        pixels = np.s_[row * shuffle[0] : (row + 1) * shuffle[0], column * shuffle[1] : (column + 1) * shuffle[1]]
        wide[pixels][place] = kernels.reshape(*shuffle, channels, *lengths)
    parameters = [wide.reshape(BLOCK**2, channels, *size)]
    if len(layer.input) == 3:
        parameters.append(np.tile(constants[layer.input[2]].reshape(shuffle), steps).ravel())
    names = [f"{name}_blocks" for name in layer.input[1:]]
    graph.initializer.extend(map(onnx.numpy_helper.from_array, parameters, names))
    before = [length // 2 for length in lengths]
    after = [margin + step - 1 for margin, step in zip(before, steps, strict=True)]
    inputs = [layer.input[0], *names]
    layer.CopyFrom(
        onnx.helper.make_node("Conv", inputs, layer.output, kernel_shape=size, strides=steps, pads=before + after)
    )


def _unblocked(onnx: Any, node: Any, source: str, *, cut: bool, turned: bool) -> list[Any]:
    """Return what stands for a node that lays out pixels once its channels are those of blocks."""
    image = node.output[0] if node.op_type == "DepthToSpace" else f"{source}_image"
    blocks = f"{image}_uncut" if cut else image
    nodes = [onnx.helper.make_node("DepthToSpace", [source], [blocks], blocksize=BLOCK)]
    if cut:
        nodes.append(onnx.helper.make_node("Slice", [blocks, "origin", "output_size", "in_plane"], [image]))
    if node.op_type == "Reshape":
        order = TURNED_CHANNELS_LAST if turned else CHANNELS_LAST
        nodes.append(onnx.helper.make_node("Transpose", [image], node.output, perm=order))
    if node.op_type == "Transpose":
        node.input[0] = image
        nodes.append(node)
    return nodes


def _size_of_output(onnx: Any, graph: Any, axes: tuple[int, int], factors: tuple[int, int]) -> list[Any]:
    """Return what computes `output_size` from axes of the input, and add the constants to cut by."""
    numbers = {"origin": (0, 0), "in_plane": (2, 3), "axes": axes, "factors": factors}
    graph.initializer.extend(onnx.numpy_helper.from_array(np.array(each), name) for name, each in numbers.items())
    return [
        onnx.helper.make_node("Shape", ["lr"], ["input_shape"]),
        onnx.helper.make_node("Gather", ["input_shape", "axes"], ["input_size"]),
        onnx.helper.make_node("Mul", ["input_size", "factors"], ["output_size"]),
    ]
