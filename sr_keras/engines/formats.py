"""The formats that a stage is exported to: what each is called, can hold and needs."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from sr_keras.errors import ConfigurationError

FormatName = Literal["saved_model", "onnx", "litert", "openvino", "tensorrt", "tensorrt-rtx"]
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        suffix: of its files, or of its folder.
        precisions: that it can have.
        install: what `pip install` gets to write it and to run it.
        title: what people call it.
    """

    suffix: str
    precisions: tuple[Precision, ...]
    install: str
    title: str


FORMATS: dict[FormatName, Format] = {
    "saved_model": Format(".savedmodel", ("fp32", "fp16"), "sr_keras[train]", "TensorFlow SavedModel"),
    "onnx": Format(".onnx", PRECISIONS, "sr_keras[export]", "ONNX"),
    "litert": Format(".tflite", PRECISIONS, "sr_keras[litert]", "LiteRT"),
    "openvino": Format(".xml", ("fp32", "fp16"), "sr_keras[openvino]", "OpenVINO"),
    "tensorrt": Format(".engine", PRECISIONS, "sr_keras[tensorrt]", "TensorRT"),
    "tensorrt-rtx": Format(".rtx", PRECISIONS, "sr_keras[tensorrt-rtx]", "TensorRT-RTX"),
}


def format_of(path: Path) -> FormatName | None:
    """Return the format that a path's suffix stands for; None if it is none of them.

    A folder that holds a `saved_model.pb` is a SavedModel, whatever it is called.
    """
    if path.is_dir():
        return "saved_model" if (path / "saved_model.pb").is_file() else None
    return next((name for name, kind in FORMATS.items() if kind.suffix == path.suffix), None)


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
    """Refuse a precision that a format cannot have.

    Raises:
        ConfigurationError: it cannot.
    """
    possible = FORMATS[name].precisions
    if precision not in possible:
        others = [other for other, kind in FORMATS.items() if precision in kind.precisions]
        raise ConfigurationError(
            f"The precision of {name} must be one of {', '.join(possible)}. Received: {precision}. "
            f"Choose one of those, or {precision} in one of {', '.join(others)}."
        )


def _parsed(text: str, kind: str, allowed: Collection[str]) -> list[str]:
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in allowed:
            raise ConfigurationError(f"A {kind} must be one of {', '.join(allowed)}. Received: {name}.")
    return list(dict.fromkeys(names))
