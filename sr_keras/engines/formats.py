"""The export formats: one table of what each is called, can hold and needs."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, cast, get_args

from sr_keras.errors import ConfigurationError

FormatName = Literal["saved_model", "onnx", "litert", "openvino", "ncnn", "tensorrt", "tensorrt-rtx"]
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        title: its name in prose and tables.
        suffix: of its files, or of its folder.
        precisions: that it supports.
        install: the requirement that `pip install` needs to write and to run it.
        runtime: what runs it, as `NamedEngine.runtime` names it.
        distributions: that may provide the runtime; the versions of those installed are recorded.
        engine: the class that runs it, "module:class".
        writer: the function that exports to it, "module:function"; layers above this one are named by text only.
    """

    title: str
    suffix: str
    precisions: tuple[Precision, ...]
    install: str
    runtime: str
    distributions: tuple[str, ...]
    engine: str
    writer: str

    def load_engine_class(self) -> Any:
        """Return the class that runs the format. Its runtime is imported at the first run."""
        return resolve_name(f"sr_keras.engines.{self.engine}")

    def load_writer(self) -> Any:
        """Return the function that exports a `Request` to a path in the format."""
        return resolve_name(f"sr_keras.export.{self.writer}")


FORMATS: dict[FormatName, Format] = {
    "saved_model": Format(
        title="TensorFlow SavedModel",
        suffix=".savedmodel",
        precisions=("fp32", "fp16"),
        install="sr_keras[train]",
        runtime="TensorFlow",
        distributions=("tensorflow", "tensorflow-cpu"),
        engine="saved_model_engine:SavedModelEngine",
        writer="saved_model:write",
    ),
    "onnx": Format(
        title="ONNX",
        suffix=".onnx",
        precisions=PRECISIONS,
        install="sr_keras[export]",
        runtime="onnxruntime",
        distributions=("onnxruntime", "onnxruntime-gpu", "onnxruntime-webgpu", "onnxruntime-ep-webgpu"),
        engine="onnx_engine:OnnxEngine",
        writer="onnx:write",
    ),
    "litert": Format(
        title="LiteRT",
        suffix=".tflite",
        precisions=PRECISIONS,
        install="sr_keras[litert]",
        runtime="ai-edge-litert",
        distributions=("ai-edge-litert",),
        engine="litert_engine:LitertEngine",
        writer="litert:write",
    ),
    "openvino": Format(
        title="OpenVINO",
        suffix=".xml",
        precisions=("fp32", "fp16"),
        install="sr_keras[openvino]",
        runtime="openvino",
        distributions=("openvino",),
        engine="openvino_engine:OpenvinoEngine",
        writer="openvino:write",
    ),
    "ncnn": Format(
        title="ncnn",
        suffix=".ncnn.param",
        precisions=("fp32", "fp16"),
        install="sr_keras[ncnn]",
        runtime="ncnn",
        distributions=("ncnn",),
        engine="ncnn_engine:NcnnEngine",
        writer="ncnn:write",
    ),
    "tensorrt": Format(
        title="TensorRT",
        suffix=".engine",
        precisions=PRECISIONS,
        install="sr_keras[tensorrt]",
        runtime="TensorRT",
        distributions=("tensorrt",),
        engine="tensorrt_engine:TensorrtEngine",
        writer="tensorrt:write",
    ),
    "tensorrt-rtx": Format(
        title="TensorRT-RTX",
        suffix=".rtx",
        precisions=PRECISIONS,
        install="sr_keras[tensorrt-rtx]",
        runtime="TensorRT-RTX",
        distributions=("tensorrt-rtx-cu13",),
        engine="tensorrt_engine:TensorrtEngine",
        writer="tensorrt:write_rtx",
    ),
}


def format_of(path: str | os.PathLike[str]) -> FormatName | None:
    """Return the format that a path's suffix denotes; None if it denotes none.

    A folder that contains `saved_model.pb` is a SavedModel, whatever its name.
    """
    path = Path(path)
    if path.is_dir():
        return "saved_model" if (path / "saved_model.pb").is_file() else None
    return next((name for name, each in FORMATS.items() if path.name.endswith(each.suffix)), None)


def format_suffixes() -> str:
    """Return the suffixes of all formats, for messages."""
    return ", ".join(each.suffix for each in FORMATS.values())


def parse_formats(text: str) -> list[FormatName]:
    """Return the formats of a list such as "onnx,litert".

    Raises:
        ConfigurationError: one of them does not exist.
    """
    return cast(list[FormatName], _parsed(text, "format", FORMATS))


def parse_precisions(text: str) -> list[Precision]:
    """Return the precisions of a list such as "fp32,fp16".

    Raises:
        ConfigurationError: one of them does not exist.
    """
    return cast(list[Precision], _parsed(text, "precision", PRECISIONS))


def check_precision(name: FormatName, precision: Precision) -> None:
    """Refuse a precision that a format does not support.

    Args:
        name: of the format.
        precision: "fp32", "fp16" or "int8".

    Raises:
        ConfigurationError: the format does not support the precision.
    """
    supported = FORMATS[name].precisions
    if precision not in supported:
        others = [other for other, each in FORMATS.items() if precision in each.precisions]
        raise ConfigurationError(
            f"{name} has no {precision}; choose {' or '.join(supported)}, or export {precision} to {', '.join(others)}."
        )


def _parsed(text: str, kind: str, allowed: Collection[str]) -> list[str]:
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in allowed:
            raise ConfigurationError(f"{name} is not a {kind}; choose from {', '.join(allowed)}.")
    return list(dict.fromkeys(names))
