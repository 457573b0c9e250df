"""Tidies the graph that tf2onnx writes: layouts, shapes that are computed where they are known, and names.

tf2onnx turns images from channels-last to channels-first by pairs of reshapes where there is one channel, some of
which undo others, and computes the shape of every reshape anew. Here each becomes one transposition or nothing.
"""

from collections import Counter
from typing import Any

import numpy as np

from sr_keras.export.onnx_blocks import make_blocks
from sr_keras.export.request import Shape

# Operators that tf2onnx writes for channels-first images. A graph with others keeps the layout changes it came with.
CHANNELS_FIRST = {"Add", "Clip", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "LeakyRelu", "Mul", "Relu", "Sub"}
LAYOUT_CHANGES = {"Reshape", "Squeeze", "Transpose", "Unsqueeze"}
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
# Either way, where rows and columns change places too.
TURNED = (0, 3, 2, 1)
# Batch and in-plane axis as they are, all the rest along the depth: what the d stage's sub-pixel layer makes.
DEPTH_SHUFFLE = (0, 0, -1, 1)


def optimise(onnx: Any, model: Any, shape: Shape, factors: tuple[int, int], *, for_processors: bool) -> Any:
    """Return the model without leftovers, under stable names.

    Args:
        onnx: the module.
        model: of free batch, height and width, with the input `lr` and outputs of those axes.
        shape: that the input is to have; None is free.
        factors: by which the outputs' height and width are larger.
        for_processors: whether pixels are made in blocks, see `onnx_blocks`, and images that grow in width alone are
            turned: runtimes lose time at the ends of each row, and the depth of most scans is short.
    """
    graph = model.graph
    _state_shapes(onnx, graph)
    _remove_unused(graph)
    operators = {node.op_type for node in graph.node}
    if operators <= CHANNELS_FIRST | LAYOUT_CHANGES:
        turned = for_processors and factors[0] < factors[1] and not operators & {"ConvTranspose", "DepthToSpace"}
        _replace_layout_changes(onnx, graph, turned=turned)
        if turned:
            _turn_kernels(onnx, graph)
        if for_processors:
            make_blocks(onnx, graph, _enlarged(shape, factors), factors, turned=turned)
            # The shuffle of the d stage was channels-last, and is not any more.
            _replace_layout_changes(onnx, graph, turned=turned)
        if turned:
            _turn_as_matrices(onnx, graph)
        _remove_unused(graph)
    _rename(graph)
    del graph.value_info[:]
    graph.name, model.producer_name, model.producer_version = "sr_keras", "sr_keras", ""
    del model.metadata_props[:]
    standard = [entry for entry in model.opset_import if not entry.domain]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    _name_axes(onnx, graph, shape, factors)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _state_shapes(onnx: Any, graph: Any) -> None:
    """Give reshapes whose shape is computed the constant that it amounts to."""
    constants = {constant.name for constant in graph.initializer}
    name = "depth_shuffle_shape"
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] not in constants:
            node.input[1] = name
    if any(name in node.input for node in graph.node):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(DEPTH_SHUFFLE, np.int64), name))


def _replace_layout_changes(onnx: Any, graph: Any, *, turned: bool) -> None:
    """Put one transposition, or nothing, in the place of each chain of reshapes and transpositions.

    Where `turned` is set, channels-first images have their columns before their rows.
    """
    to_first, to_last = (TURNED, TURNED) if turned else (TO_FIRST, TO_LAST)
    makers = {output: node for node in graph.node for output in node.output}
    nodes: list[Any] = []
    changed: dict[tuple[str, bool], str] = {}

    def change(value: str, wants_first: bool) -> str:
        """Return the value in a layout, transposed if need be."""
        source = value
        while source in makers and _only_changes_layout(makers[source]):
            source = makers[source].input[0]
        maker = makers.get(source)
        is_first = maker is not None and maker.op_type != "Reshape"
        if source == value or is_first == wants_first:
            return source
        if (source, wants_first) not in changed:
            changed[source, wants_first] = f"{source}_changed{len(changed)}"
            order = to_first if wants_first else to_last
            nodes.append(onnx.helper.make_node("Transpose", [source], [changed[source, wants_first]], perm=order))
        return changed[source, wants_first]

    for node in graph.node:
        if _only_changes_layout(node):
            continue
        node.input[0] = change(node.input[0], node.op_type != "Reshape")
        for number in range(1, len(node.input)):
            if node.input[number] in makers:
                node.input[number] = change(node.input[number], True)
        nodes.append(node)
    for output in graph.output:
        value = change(output.name, False)
        if value != output.name:
            _give_name(nodes, value, output.name)
    del graph.node[:]
    graph.node.extend(nodes)


def _only_changes_layout(node: Any) -> bool:
    return node.op_type in LAYOUT_CHANGES and "depth_shuffle_shape" not in node.input


def _turn_kernels(onnx: Any, graph: Any) -> None:
    """Let rows and columns change places in all convolutions."""
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    kernels = {node.input[1] for node in convolutions}
    for constant in graph.initializer:
        if constant.name in kernels:
            turned = np.ascontiguousarray(onnx.numpy_helper.to_array(constant).swapaxes(2, 3))
            constant.CopyFrom(onnx.numpy_helper.from_array(turned, constant.name))
    for node in convolutions:
        for setting in node.attribute:
            # Lengths by axis, or margins before both axes and after them.
            pairs = [setting.ints[start : start + 2][::-1] for start in range(0, len(setting.ints), 2)]
            setting.ints[:] = [number for pair in pairs for number in pair]


def _turn_as_matrices(onnx: Any, graph: Any) -> None:
    """Turn inputs and outputs, of one channel, without it: onnxruntime is ten times as fast at that."""
    make, nodes = onnx.helper.make_node, []
    inputs, outputs = ({value.name for value in values} for values in (graph.input, graph.output))
    for node in graph.node:
        source, target = node.input[0], node.output[0]
        if node.op_type != "Transpose" or not (source in inputs or target in outputs):
            nodes.append(node)
            continue
        before, after = ("last", "first") if source in inputs else ("first", "last")
        nodes.append(make("Squeeze", [source, f"{before}_axis"], [f"{target}_flat"]))
        nodes.append(make("Transpose", [f"{target}_flat"], [f"{target}_turned"], perm=(0, 2, 1)))
        nodes.append(make("Unsqueeze", [f"{target}_turned", f"{after}_axis"], [target]))
    for name, axis in (("first", 1), ("last", 3)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array([axis]), f"{name}_axis"))
    del graph.node[:]
    graph.node.extend(nodes)


def _give_name(nodes: list[Any], value: str, name: str) -> None:
    """Call a value by another name wherever it occurs."""
    for node in nodes:
        for names in (node.input, node.output):
            for number, old in enumerate(names):
                if old == value:
                    names[number] = name


def _remove_unused(graph: Any) -> None:
    """Remove nodes and constants that no output depends on."""
    needed, kept = {output.name for output in graph.output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed.update(node.input)
    constants = [constant for constant in graph.initializer if constant.name in needed]
    for field, items in ((graph.node, kept[::-1]), (graph.initializer, constants)):
        del field[:]
        field.extend(items)


def _rename(graph: Any) -> None:
    """Number nodes by their operator, and name values and constants after them: the same in every export."""
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    constants = {constant.name for constant in graph.initializer}
    for node in graph.node:
        counts[node.op_type] += 1
        node.name = f"{node.op_type.lower()}{counts[node.op_type]}"
        for number, name in enumerate(node.input):
            if name in constants:
                names.setdefault(name, f"{node.name}_input{number}")
        names.update({name: f"{node.name}_output" for name in node.output if name not in fixed})
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for constant in graph.initializer:
        constant.name = names[constant.name]


def _name_axes(onnx: Any, graph: Any, shape: Shape, factors: tuple[int, int]) -> None:
    """State the axes of inputs and outputs: lengths that are fixed, names for the free ones."""
    titles = ("batch", "height", "width"), ("batch", "enlarged_height", "enlarged_width")
    described = onnx.helper.make_tensor_value_info
    for values, lengths, names in (
        (graph.input, shape, titles[0]),
        (graph.output, (shape[0], *_enlarged(shape, factors)), titles[1]),
    ):
        axes = [name if length is None else length for length, name in zip(lengths, names, strict=True)]
        for value in values:
            value.CopyFrom(described(value.name, onnx.TensorProto.FLOAT, [*axes, 1]))


def _enlarged(shape: Shape, factors: tuple[int, int]) -> list[int | None]:
    """Return height and width of the outputs; None is free."""
    return [None if length is None else length * factor for length, factor in zip(shape[1:], factors, strict=True)]
