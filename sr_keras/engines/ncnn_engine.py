"""The engine that runs ncnn files, on a GPU by Vulkan or on the CPU."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine, refused
from sr_keras.engines.vulkan import preferred_device
from sr_keras.errors import MissingDependencyError
from sr_keras.framework import load_module, silent_libraries

# The last line of a .param begins with it: the metadata, JSON.
METADATA_PREFIX = "# sr_keras "
# What it returns where memory runs out; other numbers say that a layer refuses its input.
OUT_OF_MEMORY = -100
HALF_OPTIONS = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")


class NcnnEngine(ModelFileEngine):
    """Runs an ncnn file (.ncnn.param, with its .ncnn.bin beside it), one image after another.

    Attributes:
        vulkan: whether it runs by Vulkan; None does where there is a GPU, unless TensorFlow is loaded, see
            `sr_keras.engines.vulkan`. Set before the first run.
    """

    vulkan: bool | None = None

    @property
    def runtime(self) -> str:
        """The runtime, and the device where that is not the CPU: "ncnn Vulkan (NVIDIA GeForce RTX 4070)"."""
        return f"ncnn Vulkan ({preferred_device()})" if self._by_vulkan() else "ncnn"

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata, the last line; see `ModelFileEngine.embedded`."""
        *_, last = path.read_text().splitlines() or [""]
        return last.removeprefix(METADATA_PREFIX) if last.startswith(METADATA_PREFIX) else None

    def _load(self) -> Any:
        ncnn = load_module("ncnn", FORMATS["ncnn"].install)
        if self._by_vulkan() and not preferred_device():
            raise MissingDependencyError("ncnn finds no Vulkan device here; install the driver of the GPU.")
        network = ncnn.Net()
        # ncnn writes what it finds about each device, and every error, to stderr.
        with silent_libraries():
            network.opt.use_vulkan_compute = self._by_vulkan()
            # It is the least exact of the convolutions, four times as far off as the others, and not faster here.
            network.opt.use_winograd63_convolution = False
            network.opt.num_threads = self.threads or network.opt.num_threads
            for name in HALF_OPTIONS:
                setattr(network.opt, name, self.manifest.precision == "fp16")
            if network.load_param(str(self.path)) or network.load_model(str(self.path.with_suffix(".bin"))):
                raise RuntimeError("its layers or its weights are damaged")
        return network

    def _infer(self, session: Any, batch: Images) -> Images:
        ncnn = load_module("ncnn", FORMATS["ncnn"].install)
        outputs = []
        for image in batch:
            extractor = session.create_extractor()
            extractor.input("lr", ncnn.Mat(image[None, ..., 0]))
            failed, output = extractor.extract("final")
            if failed:
                raise MemoryError if failed == OUT_OF_MEMORY else refused(self.path, self.runtime, OSError(failed))
            outputs.append(np.array(output)[0, ..., None])
        return np.stack(outputs)

    def _by_vulkan(self) -> bool:
        if self.vulkan is not None:
            return self.vulkan
        device = preferred_device()
        return bool(device and not device.software) and "tensorflow" not in sys.modules
