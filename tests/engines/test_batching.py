"""Smaller batches and tiles where memory runs out, and cached outputs of constant images: all bit-identical."""

import re
import subprocess
import sys

import numpy as np
import pytest

from sr_keras.engines import Batched, load_engine
from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import DeviceMemoryError, ModelFileError
from sr_keras.models.stages import shipped_stages
from sr_keras.resources import memory_errors
from sr_keras.volumes.resampling import resample_axis

HW = load_engine("georgescu2020_hw_x2", "onnx")


class Small:
    """A shipped stage on a device with memory for a number of pixels; beyond it, a runtime's own error."""

    def __init__(self, name, pixels, limits=None):
        self._engine, self._pixels = load_engine(name, "onnx"), pixels
        self.card, self.shape_limits, self.shapes = self._engine.card, limits or ShapeLimits(), []

    def run(self, images):
        with memory_errors("small"):
            if images.size > self._pixels:
                raise RuntimeError("BFCArena: Failed to allocate memory for requested buffer")
        self.shapes.append(images.shape)
        return self._engine.run(images)


@pytest.fixture(scope="module")
def images(sample):
    return (sample.voxels[40:120, :80, 40:45].transpose(2, 0, 1) / sample.voxels.max()).astype(np.float32)


@pytest.mark.parametrize("name", shipped_stages())
@pytest.mark.parametrize("batch", [1, 2, 3, 8])
def test_the_batch_changes_no_bit(name, batch, images):
    engine = load_engine(name, "onnx")
    np.testing.assert_array_equal(Batched(engine, batch).run(images), engine.run(images))


@pytest.mark.parametrize("name", shipped_stages())
@pytest.mark.parametrize("pixels", [3 * 80 * 80, 80 * 80, 80 * 60, 56 * 56])
def test_where_memory_runs_out_batches_are_halved_then_images_tiled(name, pixels, images):
    device = Small(name, pixels)
    batched = Batched(device, 8)
    np.testing.assert_array_equal(batched.run(images), load_engine(name, "onnx").run(images))
    assert max(np.prod(shape) for shape in device.shapes) <= pixels
    # What did not fit is not tried again.
    device.shapes.clear()
    refused = []
    device.__dict__["run"] = lambda images: refused.append(images.shape) or Small.run(device, images)
    batched.run(images)
    assert refused == device.shapes


@pytest.mark.parametrize(("pixels", "limits"), [(100, None), (80 * 70, ShapeLimits((1, 1), (80, 80), (80, 80)))])
def test_a_device_that_is_too_small_for_any_tile_is_an_error(pixels, limits, images):
    with pytest.raises(DeviceMemoryError, match="^small runs out of memory on its device: BFCArena: F"):
        Batched(Small("georgescu2020_hw_x2", pixels, limits), 4).run(images)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_constant_images_are_run_once_and_give_the_same_output(batch, images):
    stack = np.concatenate([np.zeros((3, 80, 80), np.float32), images, np.full((2, 80, 80), 0.25, np.float32)])
    device = Small("georgescu2020_hw_x2", 10**9)
    batched = Batched(device, batch)
    expected = HW.run(stack)
    for _ in range(2):
        np.testing.assert_array_equal(batched.run(stack), expected)
    # The two constant values once, and in each run the other images.
    assert sum(shape[0] for shape in device.shapes) == 2 + 2 * len(images)
    np.testing.assert_array_equal(batched.run(stack[:2, :40]), HW.run(stack[:2, :40]))


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


class OutOfMemoryError(RuntimeError):
    """Named like PyTorch's."""


SHORTAGES = [
    MemoryError(),
    ResourceExhaustedError("OOM when allocating tensor"),
    OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 16"),
    RuntimeError("CUDA: cudaErrorMemoryAllocation"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", SHORTAGES, ids=repr)
def test_the_out_of_memory_errors_of_all_runtimes_are_recognised(error):
    reason = str(error) or "MemoryError"
    message = f"^x runs out of memory on its device: {re.escape(reason)}; end other"
    with pytest.raises(DeviceMemoryError, match=message), memory_errors("x"):
        raise error


@pytest.mark.parametrize("error", [ValueError("wrong shape"), ModelFileError("refused"), KeyboardInterrupt()])
def test_other_errors_are_passed_on(error):
    with pytest.raises(type(error)) as caught, memory_errors("x"):
        raise error
    assert caught.value is error


def test_onnxruntime_continues_after_it_ran_out_of_memory():
    program = """
import resource, numpy as np
from sr_keras.engines import Batched, load_engine
engine = load_engine("georgescu2020_hw_x2", "onnx")
images = np.random.default_rng(0).random((4, 256, 256), np.float32)
expected = np.concatenate([engine.run(image[None]) for image in images])
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 250_000_000, resource.RLIM_INFINITY))
batched = Batched(engine, 4)
print((batched.run(images) == expected).all(), batched.batch < 4)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True True\n", 0), done.stderr


@pytest.mark.parametrize("name", ["fast_hw_x2", "fast_d_x2", "best_hw_x4", "fast_d_x4"])
def test_a_scan_far_from_the_mixture_is_interpolated_up_to_the_border(name, images):
    engine = load_engine(name, "onnx")
    far = engine.for_scan(np.full(len(engine.card.description), 9.0, np.float32))
    assert far.trust == 0.0
    expected, scale = images, far.card.scale
    for axis in (1, 2) if far.card.stage == "hw" else (2,):
        expected = resample_axis(expected, axis, scale * images.shape[axis], 1 / scale)
    np.testing.assert_allclose(Batched(far, 2).run(images), expected, atol=1e-5)
    constant = np.full((1, 8, 8), 0.7, np.float32)
    np.testing.assert_allclose(Batched(far, 2).run(constant), 0.7, atol=1e-6)
