"""Compare enlarging a scan in-plane by sr_keras with what one would use otherwise, on the same scan in one run.

    python benchmarks/alternatives.py SCAN RESULT.json [REPEATS]

Every way runs in a fresh process, in turn; loading counts, reading and writing do not. A way whose package is not
installed is left out.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from sr_keras.engines import load_engine
from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.machine import describe_machine
from sr_keras.models.stages import find_stage
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.volume import Volume, format_shape

MODEL, FACTORS = "georgescu2020_hw_x2", (2, 2, 1)
BASELINE = "sr_keras, onnxruntime"


def enlarge(volume: Volume, model: str, kind: str | None) -> None:
    """Enlarge with sr_keras, on an engine."""
    Upscaler([load_engine(model, kind)]).upscale(volume, FACTORS, slice_axis=2)


def tensorflow_by_slice(volume: Volume) -> None:
    """Run the same network in TensorFlow, one slice after another as the paper's code does it."""
    import tensorflow as tf

    network, normalization = find_stage(MODEL).network, normalization_of(volume)
    for index in range(volume.shape[2]):
        image = normalization.apply(volume.voxels[:, :, index])
        network(tf.constant(image[None, ..., None]))["final"].numpy()


def scipy_cubic(volume: Volume) -> None:
    """Interpolate by cubic splines."""
    from scipy.ndimage import zoom

    zoom(volume.voxels.astype(np.float32), FACTORS, order=3, mode="nearest", grid_mode=True)


def simpleitk_lanczos(volume: Volume) -> None:
    """Interpolate by windowed sincs."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(volume.voxels.astype(np.float32).T)
    finer = [length * factor for length, factor in zip(volume.shape, FACTORS, strict=True)]
    spacing = [1 / factor for factor in FACTORS]
    origin = [0.5 * (step - 1) for step in spacing]
    SimpleITK.Resample(image, finer, SimpleITK.Transform(), SimpleITK.sitkLanczosWindowedSinc, origin, spacing)


# What is run, and Keras's backend where that matters. OPENVINO is a file that the first process exports.
WAYS: dict[str, tuple[Callable[[Volume], None], str]] = {
    BASELINE: (lambda volume: enlarge(volume, MODEL, "onnx"), ""),
    "sr_keras, OpenVINO": (lambda volume: enlarge(volume, os.environ["OPENVINO"], None), ""),
    "sr_keras, Keras on TensorFlow": (lambda volume: enlarge(volume, MODEL, "keras"), "tensorflow"),
    "sr_keras, Keras on torch": (lambda volume: enlarge(volume, MODEL, "keras"), "torch"),
    "TensorFlow, slice by slice": (tensorflow_by_slice, "tensorflow"),
    "SciPy, cubic": (scipy_cubic, ""),
    "SimpleITK, Lanczos": (simpleitk_lanczos, ""),
}


def run_one(way: str, scan: str) -> None:
    """Print the seconds that one way takes."""
    volume = read_volume(Path(scan))
    start = time.perf_counter()
    WAYS[way][0](volume)
    sys.stdout.write(f"{time.perf_counter() - start}\n")


def run_all(scan: str, result: str, repeats: int) -> None:
    """Run every way in turn, keep the seconds of each, and print the medians."""
    seconds: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        model, _ = export_stage(
            Request(find_stage(MODEL), "fp32", shipped_reference_slices()), "openvino", Path(folder)
        )
        for _ in range(repeats):
            for way, (_, backend) in WAYS.items():
                environment = os.environ | {"OPENVINO": str(model)} | ({"KERAS_BACKEND": backend} if backend else {})
                command = [sys.executable, __file__, "--way", way, scan]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    seconds.setdefault(way, []).append(float(done.stdout.splitlines()[-1]))
    shape = format_shape(read_volume(Path(scan)).shape)
    report = {"scan": Path(scan).name, "shape": shape, "machine": describe_machine(), "seconds": seconds}
    Path(result).write_text(json.dumps(report, indent=1) + "\n")
    sys.stdout.write(f"| {shape} voxels, x2 in-plane | median s | times {BASELINE} |\n|---|---|---|\n")
    for way, times in seconds.items():
        sys.stdout.write(f"| {way} | {median(times):.2f} | {median(times) / median(seconds[BASELINE]):.2f} |\n")


if __name__ == "__main__":
    if sys.argv[1] == "--way":
        run_one(*sys.argv[2:])
    else:
        run_all(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3)
