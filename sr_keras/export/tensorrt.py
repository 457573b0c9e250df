"""Export to TensorRT and TensorRT-RTX engines, from the ONNX model.

TensorRT builds for the GPU of this machine. TensorRT-RTX builds ahead of time, on any machine, for chosen compute
capabilities. The network is strongly typed: its precision is that of the graph.
"""

from dataclasses import fields, replace
from math import isqrt
from pathlib import Path
from typing import Any

from sr_keras.engines.formats import FORMATS, FormatName
from sr_keras.engines.manifest import Manifest
from sr_keras.engines.signature import Range, ShapeLimits
from sr_keras.engines.tensorrt_engine import collecting_logger, compute_capability, load_tensorrt, pack_metadata
from sr_keras.errors import ConfigurationError, ModelFileError
from sr_keras.export.onnx import onnx_model, opset_of
from sr_keras.export.request import Request
from sr_keras.files import atomic_write
from sr_keras.framework import load_module
from sr_keras.models.cards import StageCard
from sr_keras.networks import output_factors
from sr_keras.resources import format_bytes

RTX_CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
# The largest CT matrix in common use; larger slices are tiled.
LARGEST_SIDE = 512
# Shorter slices are padded.
SHORTEST_SIDE = 8
# Workspace per output pixel: activations of a few layers of 32 float32 channels exist at a time.
ACTIVATION_BYTES_PER_PIXEL = 3 * 32 * 4
# Share of the workspace for those activations; the rest is for the input's layers and alignment.
SHARE = 15 / 16
# Side of the slice that TensorRT optimises for.
TYPICAL_SIDE = 256
LARGEST_BATCH = 8
# Longest name of a network, which embeds the metadata.
NAME_LENGTH = 4096
# Fields of the card omitted from the embedded metadata, in this order, where it is too long; the manifest has them.
DISPENSABLE = ("scores", "data", "validated_on", "trained_on", "configuration")


def write(request: Request, path: Path) -> Manifest:
    """Write a TensorRT engine for this machine's GPU and return its manifest.

    Args:
        request: the export.
        path: of the file.

    Raises:
        ConfigurationError: the shape does not fit into the workspace.
        ModelFileError: TensorRT cannot build the network.
        MissingDependencyError: TensorRT or an NVIDIA GPU is missing.
    """
    cuda = load_module("cuda.bindings.runtime", FORMATS["tensorrt"].install)
    capability = compute_capability(cuda)
    return _write(request, path, "tensorrt", {"compute_capabilities": [capability], "device": _device(cuda)})


def write_rtx(request: Request, path: Path) -> Manifest:
    """Write a TensorRT-RTX engine for the requested compute capabilities and return its manifest.

    Args:
        request: the export.
        path: of the file.

    Raises:
        ConfigurationError: a compute capability is not supported, or the shape does not fit into the workspace.
        ModelFileError: TensorRT-RTX cannot build the network.
        MissingDependencyError: TensorRT-RTX is not installed.
    """
    wanted = request.compute_capabilities or RTX_CAPABILITIES
    for name in wanted:
        if name not in RTX_CAPABILITIES:
            raise ConfigurationError(
                f"{name} is not a compute capability of TensorRT-RTX; choose from {', '.join(RTX_CAPABILITIES)}."
            )
    return _write(request, path, "tensorrt-rtx", {"compute_capabilities": list(wanted)})


def profile(request: Request) -> ShapeLimits:
    """Return the input shapes that an engine is built for: the requested one, else those that fit into its workspace.

    Raises:
        ConfigurationError: not even one slice fits.
    """
    card = request.stage.card
    height_factor, width_factor = output_factors(card.stage, card.scale)
    pixels = int(SHARE * request.workspace) // (ACTIVATION_BYTES_PER_PIXEL * height_factor * width_factor)
    side = min(LARGEST_SIDE, isqrt(pixels))
    height, width = (length or side for length in request.shape[1:])
    batch = request.shape[0] or min(LARGEST_BATCH, pixels // (height * width))
    if side < SHORTEST_SIDE or batch * height * width > pixels:
        raise ConfigurationError(
            f"{batch}x{height}x{width} exceeds the workspace of {format_bytes(request.workspace)}, which holds "
            f"{pixels} pixels; choose a smaller --shape or a larger --workspace."
        )
    return ShapeLimits(
        _range(request.shape[0], 1, batch),
        _range(request.shape[1], SHORTEST_SIDE, height),
        _range(request.shape[2], SHORTEST_SIDE, width),
    )


def _range(length: int | None, low: int, high: int) -> Range:
    return (low, high) if length is None else (length, length)


def _write(request: Request, path: Path, kind: FormatName, target: dict[str, Any]) -> Manifest:
    tensorrt = load_tensorrt(kind)
    model = onnx_model(request)
    limits = profile(request)
    manifest = request.manifest(
        kind,
        ("onnx",),
        opset=opset_of(model),
        shape_limits=limits,
        target=target | {"workspace_bytes": request.workspace, tensorrt.__name__: tensorrt.__version__},
    )
    path.write_bytes(_build(tensorrt, model.SerializeToString(), manifest, request.timing_cache))
    return manifest


def _build(tensorrt: Any, model: bytes, manifest: Manifest, cache: Path | None) -> bytes:
    """Return the serialised engine.

    Raises:
        ModelFileError: the parser or the builder refuses the network.
    """
    messages: list[str] = []
    logger = collecting_logger(tensorrt, messages)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(_strongly_typed(tensorrt))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(model):
        messages = [parser.get_error(number).desc() for number in range(parser.num_errors)]
        raise _refused(manifest, messages)
    network.name = _name(manifest)
    config = _configuration(tensorrt, builder, manifest)
    timing = _load_timing(config, cache) if cache and manifest.format == "tensorrt" else None
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise _refused(manifest, messages)
    if cache and timing:
        with atomic_write(cache) as temporary:
            temporary.write_bytes(bytes(timing.serialize()))
    return bytes(engine)


def _configuration(tensorrt: Any, builder: Any, manifest: Manifest) -> Any:
    config, shapes = builder.create_builder_config(), builder.create_optimization_profile()
    ranges = (manifest.shape_limits.batch, manifest.shape_limits.height, manifest.shape_limits.width)
    lows, highs = ([pair[end] or 1 for pair in ranges] for end in (0, 1))
    typical = [highs[0], *(max(low, min(high, TYPICAL_SIDE)) for low, high in zip(lows[1:], highs[1:], strict=True))]
    shapes.set_shape("lr", (*lows, 1), (*typical, 1), (*highs, 1))
    config.add_optimization_profile(shapes)
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, manifest.target["workspace_bytes"])
    # TF32 rounds the inputs of float32 products to 10 bits.
    config.clear_flag(tensorrt.BuilderFlag.TF32)
    if manifest.format == "tensorrt-rtx":
        names = manifest.target["compute_capabilities"]
        config.num_compute_capabilities = len(names)
        for number, name in enumerate(names):
            config.set_compute_capability(getattr(tensorrt.ComputeCapability, name), number)
    return config


def _strongly_typed(tensorrt: Any) -> int:
    """Return the flag for a strongly typed network; versions without the flag have no other networks."""
    flag = getattr(tensorrt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _load_timing(config: Any, path: Path) -> Any:
    """Return the timing cache that the build reads and extends. TensorRT-RTX has none."""
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _name(manifest: Manifest) -> str:
    """Return the metadata as the network's name, without the dispensable fields that make it too long."""
    card = {item.name: getattr(manifest.card, item.name) for item in fields(manifest.card)}
    for name in ("", *DISPENSABLE):
        if name:
            card[name] = type(card[name])()
        text = pack_metadata(replace(manifest, card=StageCard(**card)).metadata_json())
        if len(text) <= NAME_LENGTH:
            return text
    return ""


def _device(cuda: Any) -> str:
    _, properties = cuda.cudaGetDeviceProperties(0)
    return str(properties.name.decode())


def _refused(manifest: Manifest, messages: list[str]) -> ModelFileError:
    reason = messages[0].splitlines()[0][:300] if messages else "no reason was given"
    return ModelFileError(
        f"{FORMATS[manifest.format].title} cannot build {manifest.card.name} {manifest.precision}: {reason}; choose "
        "another precision or format."
    )
