"""The manifest: a description of an exported file, its provenance and its verification, as JSON beside the file.

The schema is `manifest.schema.json` in this package. The same metadata, without the file's SHA-256 and the results of
its verification, is embedded in the file itself.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from sr_keras.engines.formats import FORMATS, PRECISIONS, FormatName, Precision
from sr_keras.engines.signature import AXES, ShapeLimits, Tensor
from sr_keras.errors import ModelFileError
from sr_keras.files import atomic_write, file_sha256, read_json
from sr_keras.models.cards import StageCard
from sr_keras.networks import StageName
from sr_keras.volumes.normalization import CEILING_PERCENTILE, CT_FLOOR

SCHEMA = "sr_keras/manifest/2"
# Known only once the file is complete, so not embedded in it.
NOT_EMBEDDED = ("files", "verification")
NORMALISATION: dict[str, Any] = {
    "input": "(value - floor) / (ceiling - floor), not clipped",
    "CT": {"floor": CT_FLOOR, "ceiling": f"percentile {CEILING_PERCENTILE['CT']:g}", "unit": "HU"},
    "MR": {"floor": "the lesser of 0 and the least value", "ceiling": f"percentile {CEILING_PERCENTILE['MR']:g}"},
}
UPSAMPLED_AXES: dict[StageName, str] = {"hw": "height and width", "d": "width, which is the depth of the scan"}


@dataclass(frozen=True)
class Manifest:
    """The metadata of one exported file.

    Attributes:
        format: a name of `FORMATS`.
        precision: of the arithmetic or of the weights; inputs and outputs are always float32.
        card: of the stage: family, scale, receptive field radius, training data, SHA-256 of the weights.
        inputs: names, dtypes, layouts and shapes.
        outputs: names, dtypes, layouts and shapes.
        shape_limits: the input shapes that it accepts.
        target: hardware it runs on: {"hardware": "any"}, or the compute capabilities it was built for.
        versions: of the libraries that wrote it.
        opset: of ONNX; None for other formats.
        axes: that the stage upsamples.
        normalisation: of intensities before the input; the inverse applies to the outputs.
        verification: how close its output is to that of Keras, see `sr_keras.export.verification.Verification`. Its
            `status` is "passed" or "not verified".
        files: SHA-256 of each file of the model, by path relative to the manifest.
        schema: of this manifest.
    """

    format: FormatName
    precision: Precision
    card: StageCard
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    shape_limits: ShapeLimits
    target: dict[str, Any]
    versions: dict[str, str]
    opset: int | None = None
    axes: str = ""
    normalisation: dict[str, Any] = field(default_factory=lambda: NORMALISATION)
    verification: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    def metadata(self) -> dict[str, Any]:
        """Return the metadata that is embedded in the file."""
        return {key: value for key, value in asdict(self).items() if key not in NOT_EMBEDDED}

    def metadata_json(self) -> str:
        """Return the metadata that is embedded in the file, as JSON."""
        return json.dumps(self.metadata(), separators=(",", ":"))

    def write(self, model_file: Path) -> Path:
        """Write the manifest beside its model file and return its path.

        Raises:
            OutputError: it cannot be written.
        """
        path = manifest_path(model_file)
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
        return path

    def check_files(self, model_file: Path) -> None:
        """Refuse files other than those the manifest was written for.

        Raises:
            ModelFileError: one is missing or has another SHA-256.
        """
        for name, expected in self.files.items():
            path = model_file.parent / name
            if not path.is_file() or file_sha256(path) != expected:
                raise ModelFileError(
                    f"{path} is missing or has another SHA-256 than {manifest_path(model_file).name} states; copy or "
                    "export both again."
                )

    @classmethod
    def parse(cls, content: Any, source: str) -> Self:
        """Return the manifest that parsed JSON describes.

        Args:
            content: parsed JSON.
            source: where it was read, for the message.

        Raises:
            ModelFileError: it is not a manifest of this schema.
        """
        try:
            if (
                content["schema"] != SCHEMA
                or content["format"] not in FORMATS
                or content["precision"] not in PRECISIONS
            ):
                raise ValueError(f"schema {content['schema']}")
            known = {item.name: content[item.name] for item in fields(cls) if item.name in content}
            return cls(**known | _parsed(content))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(
                f"{source} does not follow the schema {SCHEMA} ({error!r}); export the model again."
            ) from error


def read_manifest(model_file: Path) -> Manifest | None:
    """Return the manifest beside a model file, None if there is none.

    Raises:
        ModelFileError: it cannot be read, or the model file is not the one it was written for.
    """
    path = manifest_path(model_file)
    if not path.is_file():
        return None
    manifest = Manifest.parse(read_json(path, ModelFileError), str(path))
    manifest.check_files(model_file)
    return manifest


def manifest_path(model_file: Path) -> Path:
    """Return the path of a model file's manifest: `x.onnx.json` beside `x.onnx`."""
    return model_file.with_name(model_file.name + ".json")


def files_of(model_file: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that a model consists of, by path relative to its folder."""
    paths = sorted(path for path in model_file.rglob("*") if path.is_file()) if model_file.is_dir() else [model_file]
    weights = model_file.with_suffix(".bin")
    if model_file.name.endswith((FORMATS["openvino"].suffix, FORMATS["ncnn"].suffix)) and weights.is_file():
        paths.append(weights)
    return {path.relative_to(model_file.parent).as_posix(): file_sha256(path) for path in paths}


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed, sr_keras first."""
    found = {}
    for package in ("sr_keras", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _parsed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields whose values are objects."""
    if not all(isinstance(content.get(name, {}), dict) for name in ("target", "versions", "verification", "files")):
        raise TypeError("target, versions, verification and files are mappings")
    return {
        "card": StageCard.parse(content["card"]),
        "shape_limits": ShapeLimits(*(_range(content["shape_limits"][axis]) for axis in AXES)),
        "inputs": tuple(_tensor(tensor) for tensor in content["inputs"]),
        "outputs": tuple(_tensor(tensor) for tensor in content["outputs"]),
    }


def _range(pair: Any) -> tuple[int, int | None]:
    low, high = pair
    return int(low), None if high is None else int(high)


def _tensor(content: Mapping[str, Any]) -> Tensor:
    return Tensor(content["name"], content["dtype"], content["layout"], tuple(content["shape"]))
