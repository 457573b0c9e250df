"""The sidecar of a NIfTI output: how it was made, in the words of BIDS where BIDS has them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sr_keras.dicom.provenance import SIDECAR as DICOM_SIDECAR
from sr_keras.engines import Engine
from sr_keras.errors import OutputError
from sr_keras.files import file_sha256
from sr_keras.inference.prepared import PreparedJob
from sr_keras.io.nifti import is_nifti
from sr_keras.models.stages import StageCard

SOFTWARE = "sr_keras"
# Beyond this many bytes a .json beside an output is no sidecar of ours.
LARGEST_SIDECAR = 1 << 20


def sidecar_path(output: Path) -> Path:
    """Return where the sidecar of a NIfTI file lies: `x.json` beside `x.nii` and `x.nii.gz`."""
    stem = output.name[: output.name.lower().rindex(".nii")]
    return output.with_name(stem + ".json")


def sidecar_text(
    scan: Path,
    job: PreparedJob,
    request: Mapping[str, Any],
    warnings: Sequence[str],
    seconds: float,
    place: Path,
    more: Mapping[str, Any],
) -> str:
    """Return the sidecar of a result, JSON.

    Args:
        scan: the file or folder that was read.
        job: what was done.
        request: what was asked for.
        warnings: about the result.
        seconds: that it took.
        place: the folder that holds the one finished file.
        more: fields besides, or instead of, those in the words of BIDS.
    """
    models = models_of(job.cards)
    record = {
        "Description": "Super-resolved scan; not an acquired image",
        "Sources": [scan.name],
        "Resolution": job.summary,
        "GeneratedBy": [{"Name": SOFTWARE, "Version": version(SOFTWARE), "Models": models}],
        **more,
        SOFTWARE: {
            "input_sha256": scan_sha256(scan),
            "output_bytes": next(path.stat().st_size for path in place.iterdir() if is_nifti(path)),
            "request": request,
            "models": models,
            "engine": runtime_of(job.engines.values()),
            "slice_axis": job.slice_axis,
            "steps": [step.label for step in job.steps],
            "warnings": list(warnings),
            "seconds": round(seconds, 3),
        },
    }
    return json.dumps(record, indent=2) + "\n"


def made_otherwise(scan: Path, output: Path, request: Mapping[str, Any]) -> str:
    """Return why an output that exists is not what a request makes of a scan, in a few words; nothing if it is.

    Args:
        scan: the file or folder that would be read.
        output: a NIfTI file or the folder of a DICOM series, which exists.
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
        output: a NIfTI file or the folder of a DICOM series.
    """
    return _read(_sidecar(output))


def check_sidecar(output: Path, *, force: bool) -> None:
    """Refuse an output whose sidecar would replace a file of somebody else's.

    Args:
        output: a NIfTI file.
        force: whether it may.

    Raises:
        OutputError: it would.
    """
    path = sidecar_path(output)
    if path.exists() and not force and _read(path) is None:
        raise OutputError(f"{path}, which would say how the output was made, exists; use --force to overwrite.")


def scan_sha256(scan: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of the names and digests of all files in it."""
    if scan.is_file():
        return file_sha256(scan)
    lines = [f"{path.relative_to(scan)} {file_sha256(path)}\n" for path in sorted(scan.rglob("*")) if path.is_file()]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def models_of(cards: Iterable[StageCard]) -> dict[str, str]:
    """Return the SHA-256 of the weights of stages, by the stages' names."""
    return {card.name: card.weights_sha256 for card in cards}


def runtime_of(engines: Iterable[Engine]) -> str:
    """Return what runs engines, "onnxruntime"; "none" without any."""
    return ", ".join(dict.fromkeys(getattr(engine, "runtime", "custom") for engine in engines)) or "none"


def _sidecar(output: Path) -> Path:
    return output / DICOM_SIDECAR if output.is_dir() else sidecar_path(output)


def _bytes(output: Path) -> int:
    """Return the size of an output, of a series without its sidecar."""
    if not output.is_dir():
        return output.stat().st_size
    return sum(path.stat().st_size for path in output.iterdir() if path.name != DICOM_SIDECAR)


def _read(path: Path) -> dict[str, Any] | None:
    """Return our part of a sidecar; None where there is none."""
    try:
        if path.stat().st_size > LARGEST_SIDECAR:
            return None
        record = json.loads(path.read_text())[SOFTWARE]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
