"""The engine that runs ONNX files on a GPU of any maker: onnxruntime on WebGPU."""

from functools import cache
from typing import Any

from sr_keras.engines.interface import Images
from sr_keras.engines.onnx_engine import ONLY_FATAL, OnnxEngine
from sr_keras.engines.plain_onnx import plain_onnx
from sr_keras.engines.vulkan import preferred_device
from sr_keras.errors import MissingDependencyError, ModelFileError
from sr_keras.framework import load_module, silent_libraries

PROVIDER = "WebGpuExecutionProvider"
INSTALL = "sr_keras[webgpu]"
# The name under which the plugin is registered.
PLUGIN = "sr_keras_webgpu"
# A session with this setting is refused where a node would run on the processor.
ONLY_THE_GPU = "session.disable_cpu_ep_fallback"
NO_ADAPTER = (
    "onnxruntime finds no WebGPU adapter here ({reason}); install the Vulkan driver of the GPU, or use --engine onnx."
)


class WebgpuEngine(OnnxEngine):
    """Runs an ONNX file on WebGPU, all of it: nothing falls back to the processor.

    The provider is that of the wheel onnxruntime-webgpu, which replaces onnxruntime, or the plugin
    onnxruntime-ep-webgpu beside it. Both keep the buffers of a run on the device for the next one.
    """

    @property
    def runtime(self) -> str:
        """The runtime, and the adapter that it runs on: "onnxruntime WebGPU (AMD Radeon RX 7600)"."""
        device = preferred_device()
        return f"onnxruntime WebGPU ({device})" if device else "onnxruntime WebGPU"

    @property
    def dynamic_shape(self) -> bool:
        """See `NamedEngine.dynamic_shape`: shaders are compiled for some sizes."""
        return False

    def _load(self) -> Any:
        content = plain_onnx(self._content(), INSTALL)
        runtime = load_module("onnxruntime", INSTALL)
        options = runtime.SessionOptions()
        options.log_severity_level = ONLY_FATAL
        options.add_session_config_entry(ONLY_THE_GPU, "1")
        bundled = PROVIDER in runtime.get_available_providers()
        if not bundled:
            options.add_provider_for_devices([_plugin_device(runtime)], {})
        try:
            # Dawn writes to stderr what it misses in each device.
            with silent_libraries():
                providers = [PROVIDER] if bundled else None
                session = runtime.InferenceSession(content, options, providers=providers, enable_fallback=0)
        except Exception as error:
            # Its errors have no common base but Exception.
            raise self._refusal(str(error)) from error
        if PROVIDER not in session.get_providers():
            raise MissingDependencyError(NO_ADAPTER.format(reason="it falls back to the processor"))
        return session

    def _refusal(self, reason: str) -> Exception:
        if "adapter" in reason:
            return MissingDependencyError(NO_ADAPTER.format(reason="no device that Dawn supports"))
        if "fallback to CPU" in reason:
            return ModelFileError(
                f"{self.name} ({self.manifest.precision}) has operators that WebGPU does not have; export fp32 or fp16."
            )
        return ValueError(reason)

    def _infer(self, session: Any, batch: Images) -> Images:
        try:
            return super()._infer(session, batch)
        except Exception as error:
            if "requires f16" not in str(error):
                raise
            raise MissingDependencyError(
                f"{self.name} is fp16, which {self.runtime} cannot compute; export fp32."
            ) from error


@cache
def _plugin_device(runtime: Any) -> Any:
    """Return the device of the plugin onnxruntime-ep-webgpu.

    Raises:
        MissingDependencyError: the plugin is not installed, or there is no device.
    """
    plugin = load_module("onnxruntime_ep_webgpu", INSTALL)
    with silent_libraries():
        runtime.register_execution_provider_library(PLUGIN, plugin.get_library_path())
        found = [device for device in runtime.get_ep_devices() if device.ep_name == PROVIDER]
    if not found:
        raise MissingDependencyError(NO_ADAPTER.format(reason="the plugin lists none"))
    return found[0]
