"""Time every shipped model on onnxruntime in one run, so that the ratios hold, and store the medians.

    python benchmarks/zoo_latency.py [REPEATS] [EARLIER]

Each model runs in its own process, one low-resolution slice of 256x256 at a time. All models run in turn in each of 5
repeats, each time in a new process: the same model can be a fifth slower in one process than in another. Writes
benchmarks/results/zoo_latency.json. Run it on an idle machine, after export/ship_onnx.py.

EARLIER is a folder with ONNX files of the same names, as an earlier commit shipped them. They run in turn with the
others, and the ratios to them are printed and stored.
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from operator import truediv
from pathlib import Path
from statistics import median

import numpy as np

from sr_keras.benchmark.process import WorkerProcess
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.machine import describe_machine
from sr_keras.models.stages import shipped_stages

RESULTS = Path(__file__).parent / "results" / "zoo_latency.json"
SHAPE = {"batch": 1, "height": 256, "width": 256}
SECONDS = 1.0
# What is behind the names of the files of an earlier commit.
EARLIER = "(earlier)"

repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
models = {name: name for name in shipped_stages()}
earlier = sorted(Path(sys.argv[2]).glob("*.onnx")) if len(sys.argv) > 2 else []
models |= {f"{path.stem} {EARLIER}": str(path) for path in earlier if path.stem in models}
medians: dict[str, list[float]] = {name: [] for name in models}
with tempfile.TemporaryDirectory() as folder:
    images = Path(folder) / "images.npy"
    np.save(images, shipped_reference_slices().first)
    for _ in range(repeats):
        for name, model in models.items():
            with WorkerProcess() as worker:
                worker.call("load", model=model, kind="onnx", images=str(images))
                worker.call("warm_up", **SHAPE)
                medians[name].append(median(worker.call("time_batches", **SHAPE, seconds=SECONDS)["samples_s"]))
before = {name.removesuffix(EARLIER).strip(): medians.pop(name) for name in list(medians) if name.endswith(EARLIER)}
ratios = {name: round(median(map(truediv, medians[name], seconds)), 3) for name, seconds in before.items()}
report = {
    "started": datetime.now(UTC).isoformat(timespec="seconds"),
    "engine": "onnxruntime",
    **SHAPE,
    "machine": describe_machine(),
    "medians_s": medians,
    **({"ratios_to_earlier": ratios} if ratios else {}),
}
RESULTS.write_text(json.dumps(report, indent=1) + "\n")
for name, seconds in medians.items():
    ratio = f", {ratios[name]:.3f} times as long as earlier" if name in ratios else ""
    sys.stdout.write(f"{name}: {1e3 * median(seconds):.1f} ms{ratio}\n")
