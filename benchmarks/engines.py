"""Measure all engines of all shipped stages over sizes and batches, and keep every sample.

    python benchmarks/engines.py FOLDER [SECONDS]

Writes FOLDER/STAGE_SIZE.json for each stage and size, and prints the tables. SECONDS is how long each engine runs in
each of three repeats, 5 if it is not given.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sr_keras.benchmark.candidates import find_candidates
from sr_keras.benchmark.report import print_report, write_report
from sr_keras.benchmark.session import run_benchmark
from sr_keras.benchmark.settings import Settings
from sr_keras.models.stages import shipped_stages

ENGINES = "keras,saved_model,onnx,litert,openvino"
SIZES, BATCHES = (128, 256, 512), (1, 8)

folder, seconds = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
folder.mkdir(parents=True, exist_ok=True)
for name in shipped_stages():
    with TemporaryDirectory() as exported:
        candidates = find_candidates([name], ENGINES, "fp32", Path(exported))
        for size in SIZES:
            settings = Settings(height=size, width=size, batches=BATCHES, seconds=seconds)
            report = run_benchmark(candidates, settings, lambda _: None)
            write_report(report, folder / f"{name}_{size}.json")
            print_report(report)
