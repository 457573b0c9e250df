"""ONNX files without blocks: the graph for GPUs of a file that was optimised for processors.

Such a file has output convolutions that emit blocks of 4x4 pixels (`sr_keras.export.onnx_blocks`). GPUs gain nothing
from them, and the sizes that crop the blocks are computed on the processor. Here the convolutions are as they were
trained, and the sub-pixel layers as well; all products are the same. The opset is at least 13.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.framework import load_module

# Rows and columns of a block.
BLOCK = 4
OPSET = 13
# Shape of an image whose channels were interleaved with its rows: batch, one channel, the rows, the columns.
ROWS_SHUFFLE = np.array([0, 1, -1, 0])


def plain_onnx(content: bytes, install: str) -> bytes:
    """Return the content of an ONNX file of sr_keras without blocks; the layers of one without blocks stay as they are.

    Args:
        content: of the file.
        install: the requirement that `pip install` needs for the package that reads it.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    onnx = load_module("onnx", install)
    model = onnx.load_from_string(content)
    nodes = list(_plain_nodes(onnx, model.graph))
    _replace_nodes(model.graph, nodes)
    # onnxruntime's WebGPU has no kernels for some operators of older opsets, in which fp16 files are written.
    if any(each.version < OPSET for each in model.opset_import if not each.domain):
        model = onnx.version_converter.convert_version(model, OPSET)
    plain: bytes = model.SerializeToString()
    return plain


def _plain_nodes(onnx: Any, graph: Any) -> Iterator[Any]:
    constants = {each.name: each for each in graph.initializer}
    # Rows and columns of the pixels that a value's channels are; images that were cropped; the names of those now.
    pixels: dict[str, tuple[int, int]] = {}
    images: set[str] = set()
    names: dict[str, str] = {}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        source, target = node.input[0], node.output[0]
        if node.op_type == "Conv" and (shuffle := _shuffle(node)):
            pixels[target] = shuffle
            _narrow(onnx, node, constants, shuffle)
        elif node.op_type == "DepthToSpace" and source in pixels:
            images.add(source if pixels[source] == (1, 1) else target)
            names |= {target: source} if pixels[source] == (1, 1) else {}
            yield from _pixel_shuffle(onnx, node, graph, pixels[source])
            continue
        elif node.op_type == "Slice" and source in images:
            names[target] = source
            continue
        elif source in pixels and source not in images:
            pixels[target] = pixels[source]
        yield node


def _shuffle(node: Any) -> tuple[int, int] | None:
    """Return the pixels that each output of a convolution was trained to compute; None if it emits no blocks."""
    strides = next((tuple(each.ints) for each in node.attribute if each.name == "strides"), (1, 1))
    return None if strides == (1, 1) else (BLOCK // strides[0], BLOCK // strides[1])


def _narrow(onnx: Any, node: Any, constants: dict[str, Any], shuffle: tuple[int, int]) -> None:
    """Take from a convolution that emits blocks the one that was trained: the filters of its first pixels."""
    _, kernel, *bias = node.input
    wide = onnx.numpy_helper.to_array(constants[kernel])
    lengths = [size - BLOCK // factor + 1 for size, factor in zip(wide.shape[2:], shuffle, strict=True)]
    blocks = wide.reshape(BLOCK, BLOCK, *wide.shape[1:])
    first = blocks[: shuffle[0], : shuffle[1], :, : lengths[0], : lengths[1]]
    _store(onnx, constants[kernel], first.reshape(-1, wide.shape[1], *lengths))
    for name in bias:
        pixels = onnx.numpy_helper.to_array(constants[name]).reshape(BLOCK, BLOCK)
        _store(onnx, constants[name], pixels[: shuffle[0], : shuffle[1]].ravel())
    del node.attribute[:]
    for key, value in (("auto_pad", "SAME_UPPER"), ("kernel_shape", lengths)):
        node.attribute.append(onnx.helper.make_attribute(key, value))


def _pixel_shuffle(onnx: Any, node: Any, graph: Any, shuffle: tuple[int, int]) -> Iterator[Any]:
    """Yield what rearranges channels into pixels."""
    source, target = node.input[0], node.output[0]
    rows, columns = shuffle
    if rows == columns == 1:
        return
    if rows == columns:
        yield onnx.helper.make_node("DepthToSpace", [source], [target], node.name, blocksize=rows)
        return
    graph.initializer.append(onnx.numpy_helper.from_array(ROWS_SHUFFLE, f"{node.name}_shape"))
    yield onnx.helper.make_node("Transpose", [source], [f"{node.name}_rows"], f"{node.name}_rows", perm=(0, 2, 1, 3))
    yield onnx.helper.make_node("Reshape", [f"{node.name}_rows", f"{node.name}_shape"], [target], node.name)


def _store(onnx: Any, constant: Any, values: npt.NDArray[Any]) -> None:
    constant.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(values), constant.name))


def _replace_nodes(graph: Any, nodes: list[Any]) -> None:
    """Give a graph other nodes, without those and the constants that nothing reads, and without what was inferred."""
    used, kept = {each.name for each in graph.output}, []
    for node in reversed(nodes):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
    constants = [each for each in graph.initializer if each.name in used]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
