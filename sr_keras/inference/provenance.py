"""The sidecar of an image file: how it was made, in the words of BIDS where BIDS has them."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sr_keras.dicom.provenance import SIDECAR as DICOM_SIDECAR
from sr_keras.engines import Engine
from sr_keras.errors import OutputError
from sr_keras.files import file_sha256
from sr_keras.inference.carried import carried_metadata
from sr_keras.inference.conditions import condition_records
from sr_keras.inference.prepared import PreparedJob
from sr_keras.io.image_names import beside, input_files, is_image, output_files
from sr_keras.models.cards import StageCard

SOFTWARE = "sr_keras"
DESCRIPTION = "Super-resolved scan; not an acquired image"
# Beyond this many bytes a .json beside an output is no sidecar of ours.
LARGEST_SIDECAR = 1 << 20


def sidecar_path(output: Path) -> Path:
    """Return where the sidecar of an image file lies: `x.json` beside `x.nii`, `x.nii.gz`, `x.mgz`."""
    return beside(output, ".json")


def sidecar_text(
    sources: Sequence[Path],
    job: PreparedJob,
    request: Mapping[str, Any],
    warnings: Sequence[str],
    seconds: float,
    written: Sequence[Path],
    *,
    description: str = DESCRIPTION,
    pipeline: str = "",
    more: Mapping[str, Any] | None = None,
) -> str:
    """Return the sidecar of a result, JSON: what stays true of its scan's own, and how it was made.

    Args:
        sources: the file or folder that was read, and what else the result is made of.
        job: what was done.
        request: what was asked for.
        warnings: about the result.
        seconds: that it took.
        written: the finished files of the result.
        description: of the result, a sentence.
        pipeline: what made it, a sentence; empty is the super-resolution.
        more: fields besides, or instead of, those in the words of BIDS.
    """
    before = carried_metadata(sources[0], job.grid, one_of_many=(request.get("volume") is not None))
    pipelines, models = before.get("GeneratedBy"), models_of(job.cards)
    record = {
        **{key: value for key, value in before.items() if key != SOFTWARE},
        "Description": description,
        "Sources": [source.name for source in sources],
        "Resolution": job.summary,
        "GeneratedBy": [
            *(pipelines if isinstance(pipelines, list) else []),
            {
                "Name": SOFTWARE,
                "Version": version(SOFTWARE),
                "Description": pipeline or _pipeline(job),
                "Models": models,
            },
        ],
        **(more or {}),
        SOFTWARE: {
            "input_sha256": scan_sha256(sources[0]),
            "output_bytes": sum(path.stat().st_size for path in written),
            "request": request,
            "models": models,
            "engine": runtime_of(job.engines.values()),
            "slice_axis": job.slice_axis,
            "told": condition_records(job.engines),
            "steps": [step.label for step in job.steps],
            **({"adaptation": job.adaptation.record} if job.adaptation else {}),
            "warnings": list(warnings),
            "seconds": round(seconds, 3),
        },
    }
    return json.dumps(_finite(record), indent=2, allow_nan=False) + "\n"


def made_otherwise(scan: Path, output: Path, request: Mapping[str, Any]) -> str:
    """Return why an output that exists is not what a request makes of a scan, in a few words; nothing if it is.

    Args:
        scan: the file or folder that would be read.
        output: an image file or the folder of a DICOM series, which exists.
        request: what is asked for.
    """
    record = record_of(output)
    if record is None:
        return f"exists, but no {_sidecar(output).name} {'in' if output.is_dir() else 'beside'} it says how it was made"
    if record.get("output_bytes") != _bytes(output):
        return "was changed since it was made"
    if record.get("input_sha256") != scan_sha256(scan):
        return "was made of another scan"
    before = record.get("request")
    changed = [key for key, value in request.items() if not isinstance(before, dict) or before.get(key) != value]
    return f"was made with other options ({', '.join(changed)})" if changed else ""


def record_of(output: Path) -> dict[str, Any] | None:
    """Return how an output was made; None where nothing of ours says so.

    Args:
        output: an image file or the folder of a DICOM series.
    """
    return _read(_sidecar(output))


def is_ours(sidecar: Path) -> bool:
    """Say whether a sidecar says how we made a file."""
    return _read(sidecar) is not None


def check_sidecar(output: Path, *, force: bool) -> None:
    """Refuse an output whose sidecar would replace a file of somebody else's, or that of another result.

    Args:
        output: an image file.
        force: whether it may.

    Raises:
        OutputError: it would.
    """
    path = sidecar_path(output)
    if force or not path.exists():
        return
    if not is_ours(path):
        raise OutputError(f"{path}, which would say how the output was made, exists; use --force to overwrite.")
    # Where the output is there, it is itself refused, or replaced with its own sidecar.
    other = None if output.exists() else _another_of(path)
    if other is not None:
        raise OutputError(f"{path} says how {other.name} was made; choose another name, or use --force to overwrite.")


def scan_sha256(scan: Path) -> str:
    """Return the SHA-256 of a file; of several or a folder, that of the names and digests of all files in it."""
    files = input_files(scan) if scan.is_file() else [path for path in sorted(scan.rglob("*")) if path.is_file()]
    if scan.is_file() and len(files) == 1:
        return file_sha256(scan)
    root = scan.parent if scan.is_file() else scan
    lines = [f"{path.relative_to(root)} {file_sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def models_of(cards: Iterable[StageCard]) -> dict[str, str]:
    """Return the SHA-256 of the weights of stages, by the stages' names."""
    return {card.name: card.weights_sha256 for card in cards}


def runtime_of(engines: Iterable[Engine]) -> str:
    """Return what runs engines, "onnxruntime"; "none" without any."""
    return ", ".join(dict.fromkeys(getattr(engine, "runtime", "custom") for engine in engines)) or "none"


def _pipeline(job: PreparedJob) -> str:
    """Return in a sentence what made the result."""
    models = ", ".join(f"{name} ({sha256[:12]})" for name, sha256 in models_of(job.cards).items()) or "no model"
    return f"Super-resolution by {models} on {runtime_of(job.engines.values())}"


def _another_of(sidecar: Path) -> Path | None:
    """Return an image file that a sidecar lies beside."""
    images = (each for each in sorted(sidecar.parent.iterdir()) if is_image(each))
    return next((each for each in images if sidecar_path(each) == sidecar), None)


def _finite(value: Any) -> Any:
    """Return a record with null in the place of numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sidecar(output: Path) -> Path:
    return output / DICOM_SIDECAR if output.is_dir() else sidecar_path(output)


def _bytes(output: Path) -> int:
    """Return the size of an output, of a series without its sidecar."""
    if output.is_dir():
        return sum(path.stat().st_size for path in output.iterdir() if path.name != DICOM_SIDECAR)
    return sum(path.stat().st_size for path in output_files(output) if path.exists())


def _read(path: Path) -> dict[str, Any] | None:
    """Return our part of a sidecar; None where there is none."""
    try:
        if path.stat().st_size > LARGEST_SIDECAR:
            return None
        record = json.loads(path.read_text())[SOFTWARE]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
