"""The model card of a trained stage in Markdown: what it upsamples, its scores and its training data."""

from collections.abc import Mapping
from statistics import fmean
from textwrap import indent

import yaml

from sr_keras.errors import ConfigurationError, StageError
from sr_keras.evaluation.tables import UNLIMITED, markdown, score_cell
from sr_keras.models.cards import StageCard
from sr_keras.models.stages import TrainedStage, shipped_stages
from sr_keras.networks import StageName
from sr_keras.resources import format_bytes
from sr_keras.training.configuration import parse_configuration, read_configuration

# What a stage upsamples: the task of `sr-keras evaluate` that measures it alone.
TASK_OF: dict[StageName, str] = {"hw": "in-plane", "d": "through-plane"}


def card_text(stage: TrainedStage, further: Mapping[str, str] | None = None) -> str:
    """Return the whole card of a stage.

    Args:
        stage: a shipped one, or that of a run.
        further: rows by name that the card itself does not hold, such as times on one machine.

    Raises:
        StageError: its weights are missing, or a score or another entry lacks what every card has there.
    """
    try:
        return _card_text(stage, further or {})
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise StageError(f"{stage.name} has a damaged card or no weights; copy both files again.") from error


def _card_text(stage: TrainedStage, further: Mapping[str, str]) -> str:
    card = stage.card
    parts = [
        f"## {card.name}",
        markdown(("property", "value"), [*_facts(stage).items(), *further.items()]),
        _quality(card),
        _data(card),
        f"{_on_the_command(card)}:\n\n{indent(training_command(card), '    ')}",
        f"The configuration `{_configuration_name(card)}`:\n\n{indent(_configuration(card), '    ')}",
    ]
    return "\n\n".join(filter(None, parts))


def gain(card: StageCard, modality: str) -> tuple[float, float] | None:
    """Return the gain of a stage over Lanczos on the scans of a modality: mean PSNR in dB, mean SSIM.

    None if its card has no such scores.
    """
    own, lanczos = (
        [row for row in card.scores if (row["modality"], row["method"]) == (modality, method)]
        for method in (card.family, "lanczos")
    )
    if not (own and lanczos):
        return None
    psnr, ssim = (
        fmean(row[figure] for row in own) - fmean(row[figure] for row in lanczos)
        for figure in ("slice_psnr", "slice_ssim")
    )
    return psnr, ssim


def gain_cell(card: StageCard, modality: str) -> str:
    """Return that gain as text, "+2.09 dB / +0.0262"; "-" if it is unknown."""
    gained = gain(card, modality)
    return "-" if gained is None else f"{gained[0]:+.2f} dB / {gained[1]:+.4f}"


def training_command(card: StageCard) -> str:
    """Return the command that trained a stage, with a name for each scan."""
    scans = [f"--data {name}" for name in card.trained_on] + [f"--validation {name}" for name in card.validated_on]
    return " \\\n    ".join([f"sr-keras train {_configuration_name(card)} -o runs/{card.name}", *scans])


def _facts(stage: TrainedStage) -> dict[str, str]:
    card = stage.card
    return {
        "upsamples": f"{TASK_OF[card.stage]}, x{card.scale}",
        "selected by": f"`--model {stage.name}`"
        + (f", or `--quality {card.family}` with its family" if stage.name == card.name else ""),
        "trained on": f"{' and '.join(card.modalities)}, {len(card.trained_on)} scans",
        "parameters": f"{card.parameters:,}",
        "MACs per low-resolution pixel": f"{card.macs:,}",
        "receptive field radius in low-resolution pixels": " x ".join(map(str, card.receptive_field_radius)),
        "weights": f"{format_bytes(stage.weights.stat().st_size)}, SHA-256 {card.weights_sha256}",
        **_mean(card),
        f"training time{' of the last round' if _went_on(card) else ''}": _minutes(card.training_seconds),
        "trained with": ", ".join(f"{name} {number}" for name, number in card.versions.items()),
    }


def _mean(card: StageCard) -> dict[str, str]:
    """Return what the weights are a mean of, if they are one."""
    parts = [f"{share:g} of {sha256[:12]}" for sha256, share in card.averaged.items()]
    return {"mean of weights, by SHA-256": " + ".join(parts)} if parts else {}


def _quality(card: StageCard) -> str:
    """Return the table of scores, a row for each scan."""
    methods = list(dict.fromkeys(row["method"] for row in card.scores))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for row in card.scores:
        place = (row["scan"], row["modality"], str(row["slices"]), f"{row['data_range']:g}")
        rows.setdefault(place, {})[row["method"]] = score_cell(row)
    table = markdown(
        ("scan", "modality", "slices", "data_range", *methods),
        [(*place, *(cells.get(method, "-") for method in methods)) for place, cells in rows.items()],
    )
    title = f"Mean PSNR in dB / SSIM over the slices with tissue, {TASK_OF[card.stage]} x{card.scale}"
    return f"{title}:\n\n{table}" if card.scores else f"{title}: not measured."


def _data(card: StageCard) -> str:
    """Return the table of training scans, and the scans that the best epoch was chosen on."""
    metadata = ("what", "source", "licence")
    rows = [(name, *(card.data.get(name, {}).get(fact, "-") for fact in metadata)) for name in card.trained_on]
    chosen = ", ".join(card.validated_on)
    table = markdown(("trained on", *metadata), rows)
    return f"{table}\n\nThe best epoch was chosen on {chosen}." if chosen else table


def _on_the_command(card: StageCard) -> str:
    """Return what the training command of a stage does, before a colon."""
    if not _went_on(card):
        return "To train it again on the same scans (`trained_on` and `validated_on` in the .json hold their SHA-256)"
    return (
        "The command of its last round of training. It began at weights that do not ship\n"
        f"(SHA-256 `{card.start}`); run now, it trains the shipped stage further"
    )


def _went_on(card: StageCard) -> bool:
    """Say whether training began at a shipped stage of the same name, which other weights have replaced since."""
    if card.configuration.get("training", {}).get("start") != card.name:
        return False
    shipped = shipped_stages().get(card.name)
    return shipped is not None and shipped.card.weights_sha256 != card.start


def _configuration_name(card: StageCard) -> str:
    """Return the name of the configuration that ships, where the stage was trained by it, else that of a file."""
    try:
        # Parsed, so that what came to configurations later has its default on older cards.
        same = read_configuration(card.name) == parse_configuration(card.configuration)
    except ConfigurationError:
        same = False
    return card.name if same else "configuration.yaml"


def _configuration(card: StageCard) -> str:
    """Return the configuration as YAML, a line for each part."""
    return "\n".join(
        f"{part}: {yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=UNLIMITED).strip()}"
        for part, values in card.configuration.items()
    )


def _minutes(seconds: float | None) -> str:
    return "not recorded" if seconds is None else f"{seconds / 60:.0f} minutes"
