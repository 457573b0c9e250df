"""Options that several commands share, and how their texts become values."""

from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from sr_keras.prediction import Upscaler
    from sr_keras.stages import TrainedStage
    from sr_keras.volume import Modality

model_option = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|RUN",
    help="A shipped model or the folder of a training run; once for each stage.  [default: those that ship]",
)
modality_option = click.option(
    "--modality",
    type=click.Choice(["ct", "mr"]),
    help="What the scan is.  [default: by its DICOM header or its values]",
)
slice_axis_option = click.option(
    "--slice-axis",
    type=click.IntRange(0, 2),
    metavar="0|1|2",
    help="The through-plane axis of the file.  [default: the one with the largest spacing, else 2]",
)
nan_fill_option = click.option(
    "--nan-fill", type=float, metavar="VALUE", help="Put VALUE where a voxel is NaN or infinite."
)
force_option = click.option("--force", is_flag=True, help="Overwrite the output.")


def to_modality(text: str | None) -> "Modality | None":
    """Return the modality that an option names."""
    return cast("Modality", text.upper()) if text else None


def load_upscalers(names: tuple[str, ...], ensemble: str = "none") -> "dict[str, Upscaler]":
    """Return the named models, or all that ship, as upscalers by name.

    A second stage of the same kind and scale begins another upscaler, so that `evaluate` compares them.
    """
    from sr_keras.engines import KerasEngine
    from sr_keras.passes import Ensemble
    from sr_keras.prediction import Upscaler
    from sr_keras.stages import find_stage, shipped_stages

    if len(set(names)) < len(names):
        raise click.UsageError(f"Give each --model once. Received: {', '.join(names)}.")
    groups: list[dict[tuple[str, int], TrainedStage]] = [{}]
    for stage in [find_stage(name) for name in names] or shipped_stages().values():
        kind = (stage.card.stage, stage.card.scale)
        if kind in groups[-1]:
            groups.append({})
        groups[-1][kind] = stage
    return {
        _title(list(group.values()), alone=len(groups) == 1): Upscaler(
            [KerasEngine(stage) for stage in group.values()], cast(Ensemble, ensemble)
        )
        for group in groups
    }


def _title(stages: "list[TrainedStage]", *, alone: bool) -> str:
    """Return what a table calls stages that work together: their families, or their names where sets are compared."""
    return "+".join(dict.fromkeys(stage.card.family if alone else stage.name for stage in stages))
