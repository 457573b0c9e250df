"""Compare enlarging a scan in-plane by sr_keras with what one would use otherwise, on the same scan in one run.

    python benchmarks/alternatives.py SCAN [REPEATS]

Every way runs in a fresh process, in turn; reading and writing are not counted, loading is. A way whose package is not
installed is left out.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from sr_keras.engines import load_engine
from sr_keras.intensity import normalization_of
from sr_keras.nifti import read_volume
from sr_keras.prediction import Upscaler
from sr_keras.volume import Volume

MODEL, FACTORS = "georgescu2020_hw_x2", (2, 2, 1)


def onnxruntime(volume: Volume) -> None:
    """sr_keras on onnxruntime, its default"""
    Upscaler([load_engine(MODEL, "onnx")]).enlarge(volume, FACTORS, slice_axis=2)


def keras(volume: Volume) -> None:
    """sr_keras on Keras, with the backend that is set"""
    Upscaler([load_engine(MODEL, "keras")]).enlarge(volume, FACTORS, slice_axis=2)


def tensorflow_by_slice(volume: Volume) -> None:
    """Plain TensorFlow, one slice after another"""
    import tensorflow as tf

    network = load_engine(MODEL, "keras")._model  # the same network and weights, without our loop
    normalization = normalization_of(volume)
    for index in range(volume.shape[2]):
        network(tf.constant(normalization.apply(volume.voxels[:, :, index])[None, ..., None])).numpy()


def scipy_cubic(volume: Volume) -> None:
    """Cubic interpolation by SciPy"""
    from scipy.ndimage import zoom

    zoom(volume.voxels.astype(np.float32), FACTORS, order=3, mode="nearest", grid_mode=True)


def simpleitk_lanczos(volume: Volume) -> None:
    """Lanczos interpolation by SimpleITK"""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(volume.voxels.astype(np.float32).T)
    finer = [length * factor for length, factor in zip(volume.shape, FACTORS, strict=True)]
    spacing = [1 / factor for factor in FACTORS]
    origin = [0.5 * (step - 1) for step in spacing]
    identity = SimpleITK.Transform()
    SimpleITK.Resample(image, finer, identity, SimpleITK.sitkLanczosWindowedSinc, origin, spacing)


WAYS: dict[str, tuple[Callable[[Volume], None], dict[str, str]]] = {
    "sr_keras, onnxruntime": (onnxruntime, {}),
    "sr_keras, Keras on TensorFlow": (keras, {"KERAS_BACKEND": "tensorflow"}),
    "sr_keras, Keras on torch": (keras, {"KERAS_BACKEND": "torch"}),
    "TensorFlow, slice by slice": (tensorflow_by_slice, {"KERAS_BACKEND": "tensorflow"}),
    "SciPy, cubic": (scipy_cubic, {}),
    "SimpleITK, Lanczos": (simpleitk_lanczos, {}),
}


def run_one(way: str, scan: str) -> None:
    """Print the seconds that one way takes."""
    volume = read_volume(Path(scan))
    start = time.perf_counter()
    WAYS[way][0](volume)
    sys.stdout.write(f"{time.perf_counter() - start}\n")


def run_all(scan: str, repeats: int) -> None:
    """Run every way in turn and print the medians."""
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        for way, (_, environment) in WAYS.items():
            command = [sys.executable, __file__, scan, "--way", way]
            result = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
            if result.returncode == 0:
                seconds.setdefault(way, []).append(float(result.stdout.splitlines()[-1]))
    fastest = median(seconds["sr_keras, onnxruntime"])
    sys.stdout.write("| way | median s | against sr_keras on onnxruntime |\n|---|---|---|\n")
    for way, times in seconds.items():
        sys.stdout.write(f"| {way} | {median(times):.2f} | {median(times) / fastest:.2f} |\n")


if __name__ == "__main__":
    if "--way" in sys.argv:
        run_one(sys.argv[3], sys.argv[1])
    else:
        run_all(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
