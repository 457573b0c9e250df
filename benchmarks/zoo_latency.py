"""Time every shipped model on onnxruntime in one run, so that the ratios hold, and store the medians.

    python benchmarks/zoo_latency.py [REPEATS]

Each model runs in its own process, one low-resolution slice of 256x256 at a time. All models run in turn in each of 5
repeats. Writes benchmarks/results/zoo_latency.json. Run it on an idle machine, after export/ship_onnx.py.
"""

import json
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np

from sr_keras.benchmark.process import WorkerProcess
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.machine import describe_machine
from sr_keras.models.stages import shipped_stages

RESULTS = Path(__file__).parent / "results" / "zoo_latency.json"
SHAPE = {"batch": 1, "height": 256, "width": 256}
SECONDS = 2.0

repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
with ExitStack() as stack:
    images = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "images.npy"
    np.save(images, shipped_reference_slices().first)
    workers = {name: stack.enter_context(WorkerProcess()) for name in shipped_stages()}
    for name, worker in workers.items():
        worker.call("load", model=name, kind="onnx", images=str(images))
        worker.call("warm_up", **SHAPE)
    medians: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(repeats):
        for name, worker in workers.items():
            medians[name].append(median(worker.call("time_batches", **SHAPE, seconds=SECONDS)["samples_s"]))
report = {
    "started": datetime.now(UTC).isoformat(timespec="seconds"),
    "engine": "onnxruntime",
    **SHAPE,
    "machine": describe_machine(),
    "medians_s": medians,
}
RESULTS.write_text(json.dumps(report, indent=1) + "\n")
for name, seconds in medians.items():
    sys.stdout.write(f"{name}: {1e3 * median(seconds):.1f} ms\n")
