"""Selection among the models that ship: one network family for each `--quality`."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sr_keras.errors import StageError, printable
from sr_keras.networks import STAGES

if TYPE_CHECKING:
    from sr_keras.models.cards import StageCard
    from sr_keras.models.stages import TrainedStage
    from sr_keras.volumes.volume import Volume

# The family used by default.
DEFAULT_FAMILY = "fast"


def choose_stages(stages: "Mapping[str, TrainedStage]", family: str = DEFAULT_FAMILY) -> "dict[str, TrainedStage]":
    """Return the stages of a family, by name: one for each kind of stage and scale.

    For a scale at which the family has none, that of the default family takes its place.

    Args:
        stages: by name, as `shipped_stages` returns them.
        family: a name of `sr_keras.networks.FAMILIES`: "fast", "best" or "georgescu2020".

    Returns:
        The stages, in the order of `stages`.

    Raises:
        StageError: the family has no hw stage or no d stage.

    >>> from sr_keras import choose_stages, shipped_stages
    >>> list(choose_stages(shipped_stages(), "fast"))
    ['fast_d_x2', 'fast_d_x4', 'fast_hw_x2', 'fast_hw_x4']
    """
    own = {(stage.card.stage, stage.card.scale) for stage in stages.values() if stage.card.family == family}
    missing = [name for name in STAGES if name not in {stage for stage, _ in own}]
    if missing:
        raise StageError(f"No {' or '.join(missing)} stage of {family} ships; name the stages with --model.")

    def wanted(card: "StageCard") -> bool:
        return card.family == (family if (card.stage, card.scale) in own else DEFAULT_FAMILY)

    return {name: stage for name, stage in stages.items() if wanted(stage.card)}


def by_family(stages: "Mapping[str, TrainedStage]") -> "dict[str, dict[str, TrainedStage]]":
    """Return stages grouped by family, in the same order; each group is keyed by name."""
    families: dict[str, dict[str, TrainedStage]] = {}
    for name, stage in stages.items():
        families.setdefault(stage.card.family, {})[name] = stage
    return families


def modality_warning(volume: "Volume", cards: "Iterable[StageCard]") -> str:
    """Return a warning if a stage was not trained on a volume's modality, else an empty text.

    Args:
        volume: the scan.
        cards: of the stages that are to super-resolve it.

    Returns:
        One sentence in one line.
    """
    untrained = [card for card in cards if volume.modality not in card.modalities]
    if not untrained:
        return ""
    known = sorted({printable(modality) for card in untrained for modality in card.modalities})
    return (
        f"Warning: {', '.join(card.name for card in untrained)} was trained on {' and '.join(known)} only, not on "
        f"{volume.modality}; the result may be worse than its model card says."
    )
