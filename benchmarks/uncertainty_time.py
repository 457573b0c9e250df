"""Measure what `predict --uncertainty` costs: the same scan in turns with and without it, in one process.

    python benchmarks/uncertainty_time.py SCAN [--scale 2x2x1] [--runs 3]

onnxruntime has one thread: several keep their cores for a while after each run, which counts as time. Prints the
seconds of all threads of the process and by the clock, the least of each, and their ratios.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from sr_keras.engines import load_engine
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.maps import Maps
from sr_keras.inference.output_grid import parse_scale
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--scale", default="2x2x1")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    engines = [load_engine(name, "onnx", threads=1) for name in choose_stages(shipped_stages())]
    seconds: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        # The first run of each loads and times engines, and does not count.
        for _ in range(arguments.runs + 1):
            for uncertainty, found in seconds.items():
                maps = Maps(Path(folder) / "half_widths.nii.gz" if uncertainty else None)
                job = PredictionJob(
                    Upscaler(engines, uncertainty=uncertainty), parse_scale(arguments.scale), force=True, maps=maps
                )
                start = time.process_time(), time.perf_counter()
                job.run(arguments.scan, Path(folder) / "result.nii.gz")
                found.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    for number, clock in enumerate(("all threads", "by the clock")):
        without, with_it = (min(each[number] for each in seconds[key][1:]) for key in (False, True))
        sys.stdout.write(
            f"{clock}: {without:.2f} s, with the uncertainty {with_it:.2f} s, ratio {with_it / without:.3f}\n"
        )


if __name__ == "__main__":
    main()
