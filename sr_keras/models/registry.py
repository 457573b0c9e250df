"""The models that ship: one family for each quality that users ask for, and which stages serve a scan."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from sr_keras.errors import StageError
from sr_keras.networks import STAGES

if TYPE_CHECKING:
    from sr_keras.models.stages import StageCard, TrainedStage
    from sr_keras.volumes.volume import Volume

QualityName = Literal["fast", "reference", "best"]
# The family behind each quality.
FAMILY_OF: dict[QualityName, str] = {"fast": "fast", "reference": "georgescu2020", "best": "quality"}
# What is used where nobody asks for another.
DEFAULT_QUALITY: QualityName = "fast"


def choose_stages(
    stages: "Mapping[str, TrainedStage]", quality: QualityName = DEFAULT_QUALITY
) -> "dict[str, TrainedStage]":
    """Return the stages of a quality's family, by name: one for each stage and scale.

    Args:
        stages: by name, as `shipped_stages` returns them.
        quality: "fast", "reference" or "best".

    Raises:
        StageError: the family has no stage that enlarges slices, or none that enlarges depth.
    """
    family = FAMILY_OF[quality]
    chosen = {name: stage for name, stage in stages.items() if stage.card.family == family}
    missing = [name for name in STAGES if name not in {stage.card.stage for stage in chosen.values()}]
    if missing:
        raise StageError(
            "The family of a quality must ship with a stage for slices (hw) and one for depth (d). Received: "
            f"{quality}, the family {family}, without {' and '.join(missing)}. Choose another, or give --model."
        )
    return chosen


def quality_of(family: str) -> QualityName | None:
    """Return the quality that a family stands for; None for one that no quality chooses."""
    return next((quality for quality, name in FAMILY_OF.items() if name == family), None)


def by_family(stages: "Mapping[str, TrainedStage]") -> "dict[str, dict[str, TrainedStage]]":
    """Return stages in the same order by family, then by name."""
    families: dict[str, dict[str, TrainedStage]] = {}
    for name, stage in stages.items():
        families.setdefault(stage.card.family, {})[name] = stage
    return families


def modality_warning(volume: "Volume", cards: "Iterable[StageCard]") -> str:
    """Return one sentence if some stage was trained on no scan of a volume's modality, else an empty text."""
    strangers = [card for card in cards if volume.modality not in card.modalities]
    if not strangers:
        return ""
    known = sorted({modality for card in strangers for modality in card.modalities})
    return (
        f"{volume.source}: a {volume.modality} scan, but {', '.join(card.name for card in strangers)} learned from "
        f"{' and '.join(known)} alone. Expect less than the figures of the model say, or name another with --model."
    )
