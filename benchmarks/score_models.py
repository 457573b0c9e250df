"""Measure every family that ships, and all interpolations, on scans that no stage was trained on.

    python benchmarks/score_models.py SCAN_OR_FOLDER... [--family NAME] [--scale N]

Every task at every scale that some stage has: each card gets the rows that measure its stage alone (in-plane for hw,
through-plane for d), and benchmarks/results/zoo_scores.json all of them. A family without a stage of a scale applies
the ones that it has one after another. With `--family` or `--scale` only that one is measured, and the rows of the
others stay.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sr_keras.engines import load_engine
from sr_keras.evaluation.interpolation import METHODS
from sr_keras.evaluation.model_cards import TASK_OF
from sr_keras.evaluation.protocol import TASKS, compare_methods, possible_tasks, score
from sr_keras.evaluation.tables import score_rows
from sr_keras.inference.folders import find_scans
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.models.cards import write_card
from sr_keras.models.registry import by_family
from sr_keras.models.stages import SHIPPED, shipped_stages
from sr_keras.networks import FAMILIES

RESULTS = Path(__file__).parent / "results" / "zoo_scores.json"
KEPT = ("scan", "modality", "task", "method", "slice_psnr", "slice_ssim", "data_range", "slices")


def measured(scan: Path, upscalers: dict[str, Upscaler], scale: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of one scan at one scale."""
    volume = read_volume(scan)
    for task in TASKS:
        able = {name: each for name, each in upscalers.items() if task in possible_tasks({name: each}, scale)}
        comparison = compare_methods(volume, task, scale, able)
        for row in score_rows(comparison, score(comparison)):
            yield {"scale": scale, **{key: row[key] for key in KEPT}}


parser = argparse.ArgumentParser()
parser.add_argument("scans", type=Path, nargs="+")
parser.add_argument("--family", choices=FAMILIES)
parser.add_argument("--scale", type=int)
arguments = parser.parse_args()
stages = {name: stage for name, stage in shipped_stages().items() if arguments.family in (None, stage.card.family)}
upscalers = {family: Upscaler([load_engine(name) for name in members]) for family, members in by_family(stages).items()}
before: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if arguments.family or arguments.scale else []
scales = [arguments.scale] if arguments.scale else sorted({stage.card.scale for stage in stages.values()})
rows = [row for row in before if row["scale"] not in scales or row["method"] not in (*METHODS, *upscalers)]
for scale in scales:
    for scan in find_scans(arguments.scans):
        rows += measured(scan, upscalers, scale)
        sys.stdout.write(f"x{scale} {scan.name}\n")
        sys.stdout.flush()
RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
for name, stage in stages.items():
    card = stage.card
    own = [
        row
        for row in rows
        if (row["task"], row["scale"]) == (TASK_OF[card.stage], card.scale) and row["method"] in (*METHODS, card.family)
    ]
    # The family's last, whichever rows stayed from before.
    own.sort(key=lambda row: row["method"] == card.family)
    scores = [{key: row[key] for key in KEPT} for row in own]
    write_card(replace(card, scores=scores), SHIPPED / f"{name}.json")
