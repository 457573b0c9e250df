"""What was done to a scan, in rows of words for people, from the record beside its result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sr_keras.dicom.provenance import SIDECAR
from sr_keras.errors import SrKerasError, printable
from sr_keras.files import read_json
from sr_keras.inference.provenance import SOFTWARE, sidecar_path

Row = tuple[str, str]
# Digits of a SHA-256 that tell weights apart.
DIGITS = 12
# What a request says where nobody asked for anything.
USUAL: Mapping[str, Any] = {"self_ensemble": "none", "data_consistency": False, "noise": 1.0, "acquisition": "auto"}
# Options of a request in words, in the order of the page.
OPTIONS = {
    "factors": "scale",
    "spacing_mm": "spacing in mm",
    "isotropic": "isotropic",
    "slice_axis": "slice axis",
    "self_ensemble": "self-ensemble",
    "data_consistency": "data consistency",
    "noise": "noise kept",
    "acquisition": "acquisition",
    "dtype": "data type",
    "modality": "modality",
    "nan_fill": "NaN filled with",
}
UNRECORDED = "There is no record of sr_keras beside the result, so this page cannot say how it was made."


def read_record(result: Path) -> dict[str, Any]:
    """Return all that the sidecar of a result says; nothing where there is none of ours.

    Args:
        result: an image file, or the folder of a DICOM series.
    """
    path = result / SIDECAR if result.is_dir() else sidecar_path(result)
    try:
        record = read_json(path, SrKerasError)
    except SrKerasError:
        return {}
    return record if isinstance(record, dict) and isinstance(record.get(SOFTWARE), dict) else {}


def rows_of(record: Mapping[str, Any]) -> list[Row]:
    """Return what was done in rows of a title and a text.

    Args:
        record: as `read_record` returns it.
    """
    ours = record.get(SOFTWARE, {})
    request = _mapping(ours.get("request"))
    rows = [
        ("Software", _software(record)),
        ("Models", _models(record)),
        ("Engine", str(ours.get("engine") or record.get("engine") or "")),
        ("Steps", ", ".join(map(str, _sequence(ours.get("steps"))))),
        ("Asked for", _options(request)),
        ("Acquisition", _acquisition(request, _mapping(ours.get("told")))),
        ("Adaptation", _adaptation(record)),
        ("Time", f"{ours['seconds']:.1f} s" if isinstance(ours.get("seconds"), int | float) else ""),
    ]
    return [(title, printable(text)) for title, text in rows if text]


def warnings_of(record: Mapping[str, Any]) -> list[str]:
    """Return the warnings about a result.

    Args:
        record: as `read_record` returns it.
    """
    found = record.get(SOFTWARE, {}).get("warnings") or _mapping(record.get("parameters")).get("warnings")
    return [printable(str(text)).removeprefix("Warning: ") for text in _sequence(found)]


def calibration_of(record: Mapping[str, Any]) -> str:
    """Return what the sidecar of a map of the uncertainty says of its intervals; nothing where it says nothing.

    Args:
        record: as `read_record` returns it.
    """
    level = record.get("Level")
    if not isinstance(level, int | float):
        return ""
    scans = ", ".join(dict.fromkeys(map(str, _sequence(record.get("CalibratedOn")))))
    texts = [f"half of {100 * level:.0f} % intervals", f"calibrated on {scans}" if scans else "not calibrated"]
    for stage, found in _mapping(record.get("CoverageOnOtherScans")).items():
        shares = [_mapping(found).get(name) for name in ("Mean", "Least")]
        if all(isinstance(share, int | float) for share in shares):
            mean, least = (100 * float(share) for share in shares if share is not None)
            texts.append(f"with {stage} they held {mean:.0f} % of the voxels of other scans, {least:.0f} % at least")
    return printable("; ".join(texts))


def _software(record: Mapping[str, Any]) -> str:
    named = _mapping(record.get("software")).get(SOFTWARE)
    for pipeline in map(_mapping, _sequence(record.get("GeneratedBy"))):
        if pipeline.get("Name") == SOFTWARE:
            named = pipeline.get("Version")
    return f"{SOFTWARE} {named}" if named else SOFTWARE


def _models(record: Mapping[str, Any]) -> str:
    models = _mapping(record[SOFTWARE].get("models") if SOFTWARE in record else None) or _mapping(record.get("models"))
    digests = {
        name: value.get("weights_sha256", "") if isinstance(value, Mapping) else value for name, value in models.items()
    }
    return ", ".join(f"{name} (SHA-256 of the weights {str(digest)[:DIGITS]})" for name, digest in digests.items())


def _options(request: Mapping[str, Any]) -> str:
    asked = {key: value for key, value in request.items() if value is not None and value != USUAL.get(key)}
    texts = [f"{title} {_text(asked[key])}" for key, title in OPTIONS.items() if key in asked]
    return ", ".join([*texts, *(["the grid of another image"] if asked.get("like") else [])])


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(_text(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _acquisition(request: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """Return what the networks were told of the scan: the noise and the share of the network in the result."""
    assumed = request.get("acquisition", "auto")
    source = "measured on the scan" if assumed == "auto" else f"assumed to be {assumed}"
    steps = [_told(str(step), _mapping(what)) for step, what in told.items()]
    return "; ".join([source, *steps]) if told else ""


def _told(step: str, what: Mapping[str, Any]) -> str:
    numbers = what.get("fingerprint") or []
    # The last but one is the decadic logarithm of the noise at the finest distance.
    noise = f"noise {100 * 10 ** numbers[-2]:.1f} % of the intensity range" if len(numbers) > 1 else "noise not known"
    share = what.get("network_share", 1.0)
    return f"{step}: {noise}" + (f", {100 * (1 - share):.0f} % cubic interpolation" if share < 1 else "")


def _adaptation(record: Mapping[str, Any]) -> str:
    """Return how a stage was adapted: the gain, and how thick the slices of the scan were taken to be."""
    adaptation = _mapping(record.get(SOFTWARE, {}).get("adaptation"))
    adaptation = adaptation or _mapping(_mapping(record.get("parameters")).get("adaptation"))
    if not adaptation:
        return ""
    texts = [f"{adaptation.get('stage')}, {adaptation.get('steps')} steps"]
    if isinstance(gain := adaptation.get("gain_db"), int | float):
        texts.append(f"{gain:+.2f} dB on slices held out")
    scans = map(_mapping, _mapping(adaptation.get("scans")).values())
    texts += [f"slices {scan.get('slice_thickness_mm')} mm thick, {scan.get('thickness_from')}" for scan in scans]
    return ", ".join(texts)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
