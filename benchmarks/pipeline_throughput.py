"""Measure whether the input pipeline can feed the network: patches a second with and without the training step, and the
share of the training time that is spent waiting for data.

python benchmarks/pipeline_throughput.py CONFIGURATION SCAN_OR_FOLDER...
"""

import sys
import tempfile
import time
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from sr_keras.framework import require_tensorflow
from sr_keras.inference.folders import find_scans
from sr_keras.training.configuration import read_configuration
from sr_keras.training.patches import load_scan

WARM_UP, STEPS = 10, 100

require_tensorflow("Training")
from sr_keras.training.dataset import training_batches  # noqa: E402 (they import TensorFlow)
from sr_keras.training.run import compiled_network  # noqa: E402


def patches_per_second(batches: Any, work: Any) -> float:
    """Return how many patches a second pass through the work, after a warm-up."""
    for images, targets in islice(batches, WARM_UP):
        work(images, targets)
    start, patches = time.perf_counter(), 0
    for images, targets in islice(batches, STEPS):
        work(images, targets)
        patches += len(images)
    return patches / (time.perf_counter() - start)


configuration = read_configuration(sys.argv[1])
with tempfile.TemporaryDirectory() as cache:
    scans = [load_scan(path, Path(cache)) for path in find_scans(Path(name) for name in sys.argv[2:])]
    batches = iter(training_batches(scans, configuration))
    model = compiled_network(configuration)
    alone = patches_per_second(batches, lambda *_: None)
    training = patches_per_second(batches, model.train_on_batch)
    fed = patches_per_second(repeat(next(batches)), model.train_on_batch)
    sys.stdout.write(
        f"pipeline alone {alone:.0f} patches/s, with the training step {training:.0f} patches/s, "
        f"ratio {alone / training:.1f}; the step on one batch again and again {fed:.0f} patches/s, "
        f"so {max(0.0, 1 - training / fed):.0%} of the time goes to data\n"
    )
