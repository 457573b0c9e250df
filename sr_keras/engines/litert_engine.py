"""The engine that runs LiteRT (TensorFlow Lite) files on ai-edge-litert."""

from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FORMATS
from sr_keras.engines.interface import Images
from sr_keras.engines.model_file import ModelFileEngine
from sr_keras.framework import load_module, silent_libraries
from sr_keras.machine import available_cores

METADATA_NAME = b"sr_keras"
FILE_IDENTIFIER = b"TFL3"


class LitertEngine(ModelFileEngine):
    """Runs a LiteRT file on the CPU, with XNNPACK where it supports the operators."""

    @staticmethod
    def embedded(path: Path) -> str | None:
        """Return the embedded metadata, a buffer of the flatbuffer; see `ModelFileEngine.embedded`."""
        content = path.read_bytes()
        if content[4:8] != FILE_IDENTIFIER:
            raise ValueError("no LiteRT file identifier")
        schema = load_module("ai_edge_litert.schema_py_generated", FORMATS["litert"].install)
        try:
            model = schema.Model.GetRootAs(content, 0)
            entries = [model.Metadata(number) for number in range(model.MetadataLength())]
            entry = next((entry for entry in entries if entry.Name() == METADATA_NAME), None)
            return None if entry is None else bytes(model.Buffers(entry.Buffer()).DataAsNumpy()).decode()
        except Exception as error:
            # A damaged flatbuffer raises struct.error, IndexError, TypeError and others.
            raise ValueError(f"damaged: {error!r}") from error

    def _load(self) -> Any:
        litert = load_module("ai_edge_litert.interpreter", FORMATS["litert"].install)
        with silent_libraries():
            return litert.Interpreter(str(self.path), num_threads=self.threads or available_cores())

    def _infer(self, session: Any, batch: Images) -> Images:
        entry, exit_ = session.get_input_details()[0], self._final(session)
        if tuple(entry["shape"]) != batch.shape:
            session.resize_tensor_input(entry["index"], batch.shape)
        with silent_libraries():
            session.allocate_tensors()
        session.set_tensor(entry["index"], batch)
        session.invoke()
        output: Images = session.get_tensor(exit_)
        return output

    @staticmethod
    def _final(session: Any) -> int:
        """Return the index of the signature's output `final`."""
        signature: dict[str, int] = session._get_full_signature_list()["serving_default"]["outputs"]
        return signature["final"]
