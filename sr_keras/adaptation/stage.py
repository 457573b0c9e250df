"""A stage whose weights are in memory: of another factor than one that ships, or adapted to a scan."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sr_keras.adaptation.start import Start
from sr_keras.engines.interface import NamedEngine
from sr_keras.engines.keras_engine import KerasEngine
from sr_keras.engines.loading import load_model_file
from sr_keras.engines.manifest import versions_of
from sr_keras.errors import OutputError
from sr_keras.export.onnx import write as write_onnx
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.export.request import Request
from sr_keras.files import check_is_folder, make_folder, reserved
from sr_keras.inference.timing import load
from sr_keras.models.cards import StageCard
from sr_keras.models.complexity import network_macs, parameters
from sr_keras.models.own import ModelStage, weights_digest
from sr_keras.models.stages import Stage, save_stage


def adapted_stage(
    base: Stage, chain: Start, modality: str, scans: Mapping[str, str], record: Mapping[str, Any]
) -> ModelStage:
    """Return a stage with its card.

    Args:
        base: what it began with.
        chain: what it has become.
        modality: of the scans.
        scans: SHA-256 of each scan that it was adapted to, by file name.
        record: of the adaptation, as JSON can hold it.
    """
    card = replace(
        base.card,
        scale=chain.scale,
        receptive_field_radius=(len(chain.widths) + 1,) * 2,
        modalities=[modality],
        trained_on={**base.card.trained_on, **scans},
        scores=[],
        configuration={**base.card.configuration, "adaptation": record},
        versions=versions_of("sr_keras", "keras", "numpy"),
        training_seconds=None,
        description=[],
        chain={"widths": list(chain.widths), "skip": chain.skip, **_mirrored(base)},
    )
    network = network_of_chain(card.family, chain)
    card = replace(
        card,
        weights_sha256=weights_digest(network),
        parameters=parameters(network),
        macs=network_macs(network, 1, 1),
    )
    return ModelStage(card.name, card, network)


def _mirrored(base: Stage) -> dict[str, bool]:
    """Return that images are to be mirrored beyond their borders, if a stage interpolates, wholly or in part."""
    mirrored = base.card.chain.get("mirrored", False) or KerasEngine(base).trust < 1.0
    return {"mirrored": True} if mirrored else {}


def network_of_chain(family: str, chain: Start) -> Any:
    """Return the Keras model of a chain, with its weights and both outputs."""
    from sr_keras.networks.conditional import build_folded

    network = build_folded("d", chain.scale, widths=chain.widths, skip=chain.skip, name=family)
    for name, arrays in chain.weights.items():
        network.get_layer(name).set_weights(arrays)
    return network


def check_adapted(folder: Path, *, force: bool) -> None:
    """Refuse the folder of an adapted stage before any work is done for it.

    Raises:
        OutputError: it is no folder, or holds a stage and `force` is not given.
    """
    check_is_folder(folder)
    if (folder / "stage.json").exists() and not force:
        raise OutputError(f"{folder / 'stage.json'} exists; use --force to overwrite.")


def save_adapted(stage: ModelStage, folder: str | os.PathLike[str], *, force: bool = True) -> Path:
    """Write a stage into a folder, which is made if need be, and return the path of its card.

    Args:
        stage: to keep.
        folder: to keep it in.
        force: whether a stage that appeared there meanwhile is replaced.

    Raises:
        OutputError: it cannot be written, one exists without `force`, or another run is writing one.
    """
    folder = Path(folder).absolute()
    make_folder(folder)
    with reserved(folder / "stage"):
        check_adapted(folder, force=force)
        return save_stage(stage.network, stage.card, folder / "stage")


def engine_of(stage: ModelStage) -> NamedEngine:
    """Return what runs a stage: onnxruntime where the package that writes its files is installed, else Keras."""
    if find_spec("onnx") is None:
        return KerasEngine(stage)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{stage.card.name}.onnx"
        write_onnx(Request(stage, "fp32", shipped_reference_slices()), path)
        engine = load_model_file(path, stage.name)
        # What the file holds is in memory from now on.
        load(engine)
    return engine


def card_at_scale(card: StageCard, scale: int) -> StageCard:
    """Return the card of a stage whose last layer is interpolated for another factor."""
    return replace(card, scale=scale, scores=[], parameters=0, macs=0)
