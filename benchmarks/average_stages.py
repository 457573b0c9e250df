"""Average the weights of stages of one network whose trainings had the same beginning.

    python benchmarks/average_stages.py OUT STAGE=WEIGHT...

A STAGE is a shipped model or a run's folder. OUT becomes a folder with a stage, whose card is that of the first STAGE
but for the weights. M. Wortsman et al., "Model soups", ICML 2022, arXiv 2203.05482.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from sr_keras.files import file_sha256
from sr_keras.models.cards import weights_path, write_card
from sr_keras.models.stages import TrainedStage, find_stage


def average(output: Path, parts: list[tuple[TrainedStage, float]]) -> None:
    """Write the mean of stages, each with its weight; the fingerprints of the mixture are those of the first."""
    total = sum(weight for _, weight in parts)
    arrays = [dict(np.load(stage.weights)) for stage, _ in parts]
    mean = {
        name: values
        if name == "members"
        else sum(
            weight / total * each[name].astype(np.float64) for each, (_, weight) in zip(arrays, parts, strict=True)
        ).astype(values.dtype)
        for name, values in arrays[0].items()
    }
    output.mkdir(parents=True)
    first = parts[0][0].card
    path = weights_path(output / "stage", first)
    np.savez_compressed(path, **mean)
    averaged = {stage.card.weights_sha256: weight / total for stage, weight in parts}
    card = replace(first, weights_sha256=file_sha256(path), scores=[], averaged=averaged)
    write_card(card, output / "stage.json")


def main() -> None:
    """Average what the command line names."""
    named = [argument.rsplit("=", 1) for argument in sys.argv[2:]]
    average(Path(sys.argv[1]), [(find_stage(name), float(weight)) for name, weight in named])


if __name__ == "__main__":
    main()
