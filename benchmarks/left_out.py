"""Look at scans at their own resolution through short trainings that have not seen them.

    python benchmarks/left_out.py RESULT.json TRAINING VALIDATION RUNS [--seed 4]

Each of four folds leaves out every fourth training scan in the order of their paths, trains `fast_hw_x2` on the others
from random weights, and upsamples those left out by 2 in-plane: noise in flat tissue over Lanczos', and the lattice, as
in `acquisitions.py`. So each scan is left out once. VALIDATION chooses the best epoch. RUNS keeps the trainings: one
that was stopped is resumed, one that has ended is measured only. Prints a line a scan, and the aims that it misses.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from acquisition_methods import model
from acquisitions import DIAL, at_its_own_resolution, load, print_line

from sr_keras.inference.folders import find_scans
from sr_keras.training.configuration import Configuration, read_configuration
from sr_keras.training.run import resume_training, start_training

# The aims: noise over Lanczos' at dial 1, by modality, and the lattice at every dial.
LARGEST_NOISE_GAIN, LARGEST_LATTICE = {"MR": 1.1, "CT": 1.2}, 1.015
STAGE, FOLDS, EPOCHS, LEARNING_RATE = "fast_hw_x2", 4, 8, 0.002


def from_random_weights(seed: int) -> Configuration:
    """Return the configuration of the shipped stage for a short training of its own, without what it began at."""
    shipped = read_configuration(STAGE)
    training = replace(shipped.training, start="", seed=seed, epochs=EPOCHS, learning_rate=LEARNING_RATE)
    return replace(shipped, training=training)


def trained(configuration: Configuration, scans: list[Path], validation: list[Path], run: Path) -> Path:
    """Return the folder of a training that has ended."""
    if not (run / "stage.json").exists():
        if run.exists():
            resume_training(run)
        else:
            start_training(configuration, scans, validation, run)
    return run


def missed(row: dict[str, Any]) -> list[str]:
    """Return which aims a scan misses."""
    figures = [row["figures"]["left_out"][str(dial)] for dial in DIAL]
    noise, uneven = ([each[name] for each in figures] for name in ("noise_gain", "lattice"))
    aims = {
        "noise": noise[0] <= LARGEST_NOISE_GAIN[row["modality"]],
        "falls with the dial": noise == sorted(noise, reverse=True),
        "lattice": max(uneven) <= LARGEST_LATTICE,
    }
    return [name for name, met in aims.items() if not met]


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print noise over Lanczos' and lattice at each dial, and the aims that are missed."""
    dials = " | ".join(f"dial {dial:g}" for dial in DIAL)
    print_line(f"\n| scan | Lanczos | {dials} | missed |\n{'|---' * (3 + len(DIAL))}|")
    for row in rows:
        figures = [row["figures"]["lanczos"]["1.0"], *(row["figures"]["left_out"][str(dial)] for dial in DIAL)]
        cells = [f"{each['noise_gain']:.2f} / {each['lattice']:.3f}" for each in figures]
        print_line(f"| {row['scan']} | {' | '.join(cells)} | {', '.join(missed(row)) or '-'} |")
    print_line(f"\n{sum(not missed(row) for row in rows)} of {len(rows)} scans meet all aims.")


def main() -> None:
    """Train, measure, write the result and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    for name in ("training", "validation", "runs"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    configuration = from_random_weights(arguments.seed)
    scans = find_scans([arguments.training])
    rows = []
    for fold in range(FOLDS):
        left_out = scans[fold::FOLDS]
        others = [scan for scan in scans if scan not in left_out]
        run = arguments.runs / f"fold{fold}_seed{arguments.seed}"
        method = model(str(trained(configuration, others, find_scans([arguments.validation]), run)), 2)
        rows += [{**at_its_own_resolution(load(scan), {"left_out": method}), "fold": fold} for scan in left_out]
        arguments.result.write_text(json.dumps(rows, indent=1) + "\n")
    print_rows(rows)


if __name__ == "__main__":
    main()
