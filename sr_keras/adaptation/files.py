"""Scans in files in, an adapted stage in a folder out."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from sr_keras.adaptation.adapting import Outcome, Settings, adapt
from sr_keras.adaptation.stage import check_adapted, save_adapted
from sr_keras.adaptation.start import folded_for
from sr_keras.errors import StageError, VolumeError
from sr_keras.inference.folders import find_scans
from sr_keras.io.scans import Choice, read_scan
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import TrainedStage, shipped_stages
from sr_keras.progress import ProgressCallback
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.volume import Modality


def shipped_start(family: str, scale: int) -> TrainedStage:
    """Return the d stage of a family that ships for a factor, else the one for the largest factor."""
    stages = [stage for stage in choose_stages(shipped_stages(), family).values() if stage.card.stage == "d"]
    known = {stage.card.scale: stage for stage in stages}
    return known.get(scale, known[max(known)])


def adapt_files(
    scans: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    scale: int,
    stage: TrainedStage,
    settings: Settings | None = None,
    *,
    choice: Choice | None = None,
    modality: Modality | None = None,
    slice_axis: int | None = None,
    nan_fill: float | None = None,
    memory: int | None = None,
    force: bool = False,
    progress: ProgressCallback | None = None,
) -> Outcome:
    """Adapt a d stage to scans of one protocol, and keep it.

    Args:
        scans: NIfTI files, DICOM series and folders of NIfTI files.
        output: the folder of the adapted stage, made if need be.
        scale: factor of the stage along the through-plane axis.
        stage: to start from.
        settings: how; None takes the defaults.
        choice: which series and volume of a DICOM folder; None where there is one.
        modality: of the scans; None takes the header's word, or infers it.
        slice_axis: the through-plane axis; None takes the one with the largest spacing.
        nan_fill: the value for voxels that are NaN or infinite; None refuses them.
        memory: bytes that this process may take in all; None takes most of what is free.
        force: whether a stage that is there is replaced.
        progress: called with the progress.

    Raises:
        VolumeError: a scan cannot be read, has nothing to learn from, or the stage gains nothing. Nothing is written.
        OutputError: the output exists or cannot be written.
        StageError: the stage is no d stage, or no chain of convolutions.
    """
    output = Path(output)
    if stage.card.stage != "d":
        raise StageError(f"{stage.name} is no d stage, and only a d stage can be adapted to a scan; name one.")
    check_adapted(output, force=force)
    volumes = [
        read_scan(path, modality=modality, nan_fill=nan_fill, choice=choice)
        for path in find_scans([Path(each) for each in scans], dicom=True)
    ]
    axes = [through_plane_axis(each.spacing) if slice_axis is None else slice_axis for each in volumes]
    settings = settings or Settings()
    # Scans of one protocol are alike: a conditional stage is folded for the first.
    start = folded_for(stage, volumes[0], axes[0], settings.noise_kept)
    outcome = adapt(start, list(zip(volumes, axes, strict=True)), scale, settings, memory=memory, progress=progress)
    if outcome.stage is None:
        raise VolumeError(f"{outcome.line}; use {stage.name} as it is.")
    save_adapted(outcome.stage, output, force=force)
    return outcome
