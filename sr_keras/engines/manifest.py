"""What an exported file is, where it came from and how it was checked: the JSON beside it.

The schema is `manifest.schema.json` in this package. The same facts, less the file's own SHA-256 and the parity that
was measured on it, lie inside the file too.
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
from sr_keras.files import atomic_write, file_sha256
from sr_keras.models.stages import StageCard
from sr_keras.networks import StageName
from sr_keras.volumes.normalization import CEILING_PERCENTILE, CT_FLOOR

SCHEMA = "sr_keras/manifest/2"
# What a file without its manifest does not know of itself.
OUTSIDE = ("files", "verification")
NORMALISATION: dict[str, Any] = {
    "input": "(value - floor) / (ceiling - floor), not clipped",
    "CT": {"floor": CT_FLOOR, "ceiling": f"percentile {CEILING_PERCENTILE['CT']:g}", "unit": "HU"},
    "MR": {"floor": "the lesser of 0 and the least value", "ceiling": f"percentile {CEILING_PERCENTILE['MR']:g}"},
}
ENLARGED: dict[StageName, str] = {"hw": "height and width", "d": "width, which is the depth of the scan"}


@dataclass(frozen=True)
class Manifest:
    """The facts of one exported file.

    Attributes:
        format: a name of `FORMATS`.
        precision: of the arithmetic or of the weights; inputs and outputs are float32.
        card: of the stage: family, stage, scale, reach, training data, weights' SHA-256.
        inputs: names, types, layouts, shapes.
        outputs: the same.
        shape_limits: the batches that it takes.
        target: what it runs on: {"hardware": "any"}, or the compute capabilities it was built for.
        versions: of the libraries that wrote it.
        opset: of ONNX, where it has one.
        axes: that the stage enlarges.
        normalisation: of intensities before the input; outputs are turned back by the same.
        verification: how far it is from Keras; see `Verification`. Its `status` is "passed" or "not verified".
        files: path relative to the manifest, and SHA-256, of all that the artefact consists of.
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
        """Return what the file itself carries."""
        return {key: value for key, value in asdict(self).items() if key not in OUTSIDE}

    def metadata_json(self) -> str:
        """Return what the file itself carries, as JSON."""
        return json.dumps(self.metadata(), separators=(",", ":"))

    def write(self, model_file: Path) -> Path:
        """Write the manifest beside its artefact and return its path.

        Raises:
            OutputError: it cannot be written.
        """
        path = manifest_path(model_file)
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
        return path

    def check_files(self, model_file: Path) -> None:
        """Refuse files that are not those the manifest was written for.

        Raises:
            ModelFileError: one is missing or has another SHA-256.
        """
        for name, expected in self.files.items():
            path = model_file.parent / name
            if not path.is_file() or file_sha256(path) != expected:
                raise ModelFileError(
                    f"An exported file must be the one its manifest was written for. Received: {path}, which is "
                    f"missing or has another SHA-256 than {manifest_path(model_file).name} says. "
                    "Copy or export both again."
                )

    @classmethod
    def parse(cls, content: Any, source: str) -> Self:
        """Return the manifest that parsed JSON describes.

        Args:
            content: parsed JSON.
            source: where it was read, for the message.

        Raises:
            ModelFileError: it is not a manifest.
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
                f"A manifest must follow the schema {SCHEMA}. Received: {source}: {error!r}. Export the model again."
            ) from error


def read_manifest(model_file: Path) -> Manifest | None:
    """Return the manifest beside an artefact, None if there is none.

    Raises:
        ModelFileError: it cannot be read, or the artefact is not the one it was written for.
    """
    path = manifest_path(model_file)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ModelFileError(f"A manifest must be JSON. Received: {path}: {error}. Export the model again.") from error
    manifest = Manifest.parse(content, str(path))
    manifest.check_files(model_file)
    return manifest


def manifest_path(model_file: Path) -> Path:
    """Return where the manifest of an artefact lies: `x.onnx.json` beside `x.onnx`."""
    return model_file.with_name(model_file.name + ".json")


def files_of(model_file: Path) -> dict[str, str]:
    """Return the SHA-256 of each file an artefact consists of, by path relative to its folder."""
    paths = sorted(path for path in model_file.rglob("*") if path.is_file()) if model_file.is_dir() else [model_file]
    weights = model_file.with_suffix(".bin")
    if model_file.suffix == FORMATS["openvino"].suffix and weights.is_file():
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
