"""The engine that runs TensorFlow SavedModels."""

from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.framework import load_module

# TensorFlow's folder for files that belong to a model but not to its graph.
METADATA_FILE = Path("assets.extra") / "sr_keras.json"
# A SavedModel is a program, and some TensorFlow operators read and write files or run Python. Only operators that
# compute with tensors, and those that load the model's own variables, are allowed.
_COMPUTING = """
Add AddN AddV2 AvgPool BatchToSpaceND BiasAdd BroadcastTo Cast ClipByValue ConcatV2 Const Conv2D Conv2DBackpropInput
DepthToSpace DepthwiseConv2dNative Elu Exp ExpandDims Fill FusedBatchNormV3 GatherV2 Identity IdentityN LeakyRelu MatMul
Max MaxPool Maximum Mean Minimum MirrorPad Mul Neg NoOp Pack Pad PadV2 PartitionedCall Placeholder
PlaceholderWithDefault Pow Prod RealDiv Relu Relu6 Reshape ResizeBicubic ResizeBilinear ResizeNearestNeighbor Rsqrt Selu
Shape Sigmoid Slice Softmax Softplus SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square Squeeze
StatefulPartitionedCall StopGradient StridedSlice Sub Sum Tanh Tile Transpose Unpack ZerosLike
"""
_LOADING = """
VarHandleOp ReadVariableOp AssignVariableOp VarIsInitializedOp RestoreV2 SaveV2 MergeV2Checkpoints ShardedFilename
StringJoin StaticRegexFullMatch Select DisableCopyOnRead
"""
OPERATORS = frozenset([*_COMPUTING.split(), *_LOADING.split()])


class SavedModelEngine(ModelFileEngine):
    """Runs a SavedModel's `serving_default` signature on TensorFlow."""

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata, a file in `assets.extra`; see `ModelFileEngine.embedded`."""
        metadata = path / METADATA_FILE
        return metadata.read_text() if metadata.is_file() else None

    def _load(self) -> Any:
        tensorflow = load_module("tensorflow", FORMATS["saved_model"].install)
        _check_operators(self.path)
        model = tensorflow.saved_model.load(str(self.path))
        # The function does not hold references to its variables; the model does.
        return model, model.signatures["serving_default"], tensorflow.constant

    def _infer(self, session: Any, batch: Images) -> Images:
        _, function, constant = session
        output: Images = function(lr=constant(batch))["final"].numpy()
        return output


def _check_operators(path: Path) -> None:
    """Refuse a graph that could do more than compute.

    Raises:
        ValueError: an operator is not in `OPERATORS`.
    """
    protos = load_module("tensorflow.core.protobuf.saved_model_pb2", FORMATS["saved_model"].install)
    errors = load_module("google.protobuf.message", FORMATS["saved_model"].install)
    try:
        model = protos.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except errors.DecodeError as error:
        raise ValueError(f"saved_model.pb is damaged: {error}") from error
    graphs = [meta.graph_def for meta in model.meta_graphs]
    nodes = [node for graph in graphs for part in (graph, *graph.library.function) for node in _nodes(part)]
    unknown = sorted({node.op for node in nodes} - OPERATORS - _functions(graphs))
    if unknown:
        raise ValueError(f"its graph has operators that may do more than compute: {', '.join(unknown)}")


def _nodes(part: Any) -> Any:
    return part.node if hasattr(part, "node") else part.node_def


def _functions(graphs: list[Any]) -> set[str]:
    return {function.signature.name for graph in graphs for function in graph.library.function}
