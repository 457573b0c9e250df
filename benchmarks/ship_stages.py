"""Copy trained stages into the package, given their runs or their model cards.

    python benchmarks/ship_stages.py RUN_OR_CARD...

Each stage becomes FAMILY_STAGE_xSCALE in sr_keras/weights. Its card is completed with the number of parameters, the
MACs and the source and licence of every training scan, which sr_keras/weights/ATTRIBUTION.md must credit.
"""

import shutil
import sys
from dataclasses import asdict, replace

from sr_keras.files import atomic_write
from sr_keras.models.cards import StageCard, weights_path, write_card
from sr_keras.models.complexity import network_macs, parameters
from sr_keras.models.stages import SHIPPED, find_stage
from sr_keras.training.configuration import parse_configuration


def credited_scans() -> dict[str, dict[str, str]]:
    """Return what, source and licence of each scan in the table of the attribution, by name without suffix."""
    lines = (SHIPPED / "ATTRIBUTION.md").read_text().splitlines()
    heading, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|")
    return {row[0].split()[0]: dict(zip(heading[1:], row[1:], strict=True)) for row in rows}


def completed(card: StageCard, network: object) -> StageCard:
    """Return a card completed with parameters, MACs and credits."""
    credited = credited_scans()
    unknown = [name for name in card.trained_on if name.split(".")[0] not in credited]
    if unknown:
        sys.exit(f"Every training scan must be credited in ATTRIBUTION.md. Missing: {', '.join(unknown)}.")
    return replace(
        card,
        data={name: credited[name.split(".")[0]] for name in card.trained_on},
        configuration=asdict(parse_configuration(card.configuration)),
        parameters=parameters(network),
        macs=network_macs(network, 1, 1),
    )


def ship(name: str) -> None:
    """Copy one stage."""
    stage = find_stage(name)
    card = completed(stage.card, stage.network)
    weights = weights_path(SHIPPED / card.name, card)
    with atomic_write(weights) as temporary:
        shutil.copyfile(stage.weights, temporary)
    write_card(card, SHIPPED / f"{card.name}.json")
    sys.stdout.write(f"{card.name}: {card.parameters:,} parameters, {card.macs:,} MACs per pixel\n")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        ship(argument)
