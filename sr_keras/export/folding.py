"""What makes the ONNX file of a conditional stage one for another scan; see `sr_keras.engines.folded_onnx`."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sr_keras.engines.folded_onnx import FoldedOnnx, numbered
from sr_keras.engines.formats import FORMATS
from sr_keras.errors import ModelFileError
from sr_keras.export.onnx import onnx_model
from sr_keras.export.request import Request
from sr_keras.framework import load_module
from sr_keras.models.own import ModelStage
from sr_keras.models.stages import TrainedStage
from sr_keras.networks.conditional import build_folded, conditional_chain
from sr_keras.networks.folding import ConditionalWeights, fold


def write_folding(stage: TrainedStage, model_file: Path, request: Request) -> None:
    """Write beside the fp32 ONNX file of a conditional stage what makes it one for another scan.

    The stage is exported once more, with numbers in place of its weights that tell where each of them goes.

    Args:
        stage: a conditional stage.
        model_file: its ONNX file.
        request: that the file was exported for.

    Raises:
        ModelFileError: the file cannot be folded, because something else than copying makes its constants.
    """
    onnx = load_module("onnx", FORMATS["onnx"].install)
    weights = stage.conditional_weights
    model = onnx_model(Request(_numbered(stage, weights), "fp32", request.slices), for_processors=True)
    model.metadata_props.MergeFrom(onnx.load(model_file).metadata_props)
    folded = FoldedOnnx(weights, _places(onnx, model))
    content = model_file.read_bytes()
    if folded.content_for(content, np.asarray(stage.card.description, np.float32)) != content:
        raise ModelFileError(f"{model_file.name} is not what {stage.name} folds to; export it from this stage again.")
    folded.write_places(model_file)


def _numbered(stage: TrainedStage, weights: ConditionalWeights) -> ModelStage:
    """Return the plain chain of a conditional stage, with the places of its weights as weights."""
    card = stage.card
    widths, skip = conditional_chain(card.family, card.stage, card.scale)
    network = build_folded(card.stage, card.scale, widths=widths, skip=skip, name=card.family)
    for name, arrays in numbered(fold(weights, np.asarray(card.description, np.float32))).items():
        network.get_layer(name).set_weights(arrays)
    return ModelStage(stage.name, card, network)


def _places(onnx: Any, model: Any) -> dict[int, npt.NDArray[np.int32]]:
    """Return what each float constant of a graph of numbers says, by its offset in the file."""
    content, places = model.SerializeToString(), {}
    for constant in model.graph.initializer:
        numbers = onnx.numpy_helper.to_array(constant)
        if numbers.dtype == np.float32 and numbers.any():
            places[content.index(constant.raw_data)] = numbers.astype(np.int32).ravel()
    return places
