"""Measure every shipped stage alone on scans it has not seen, and write the figures to its card.

    python benchmarks/score_models.py SCAN_OR_FOLDER...

An hw stage is measured in-plane, a d stage through-plane, both against Lanczos.
"""

import json
import sys
from pathlib import Path

from sr_keras.engines import KerasEngine
from sr_keras.evaluation import restore, score
from sr_keras.jobs import find_scans
from sr_keras.nifti import read_volume
from sr_keras.prediction import Upscaler
from sr_keras.stages import shipped_stages
from sr_keras.tables import score_rows

TASKS = {"hw": "in-plane", "d": "through-plane"}
KEPT = ("scan", "task", "method", "slice_psnr", "slice_ssim", "data_range", "slices")

scans = find_scans(Path(name) for name in sys.argv[1:])
for name, stage in shipped_stages().items():
    upscalers = {name: Upscaler([KerasEngine(stage)])}
    rows = []
    for scan in scans:
        restoration = restore(read_volume(scan), TASKS[stage.card.stage], stage.card.scale, upscalers)
        rows += score_rows(restoration, score(restoration))
    card = stage.weights.with_name(f"{name}.json")
    content = json.loads(card.read_text())
    content["scores"] = [{key: row[key] for key in KEPT} for row in rows if row["method"] in ("lanczos", name)]
    card.write_text(json.dumps(content, indent=2) + "\n")
    sys.stdout.write(f"{name}: {len(rows)} rows\n")
