"""What was done to a scan, as headers and the sidecar record it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset

from sr_keras.dicom.frames import PER_FRAME, Frame
from sr_keras.dicom.parsing import items, text
from sr_keras.volumes.geometry import format_spacing
from sr_keras.volumes.volume import Volume

SIDECAR = "sr_keras.json"
SOFTWARE = "sr_keras"
# The longest text that a Long String and a Short Text hold, in characters.
LONG_STRING, SHORT_TEXT = 64, 1024
# Values and meanings of DICOM PS3.16 Annex D. Those of pydicom are a dictionary that takes a tenth of a second to load.
DERIVATION = ("113085", "Spatial resampling")
SOURCE_PURPOSE = ("121322", "Source image for image processing operation")
EQUIPMENT_PURPOSE = ("109103", "Modifying Equipment")


@dataclass(frozen=True)
class Processing:
    """What super-resolved a scan.

    Attributes:
        models: the name of each trained stage, and the SHA-256 of its weights.
        engine: what ran them.
        parameters: what else was set, as JSON can hold it.
        origin: of what, and by which request, the series was made: a rerun compares them.
    """

    models: Mapping[str, str]
    engine: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)


def scale_text(volume: Volume, like: Volume) -> str:
    """Return by how much each axis was upsampled, "2x2x1"."""
    return format_spacing(np.divide(like.spacing, volume.spacing).round(4).tolist())


def series_description(before: str, volume: Volume, like: Volume, processing: Processing) -> str:
    """Return the source's description with the scale and the models, of 64 characters at most."""
    after = f"SR {scale_text(volume, like)} {'+'.join(processing.models)}"[:LONG_STRING]
    room = LONG_STRING - len(after) - 1
    return f"{before[:room].strip()} {after}".strip() if room > 0 else after


def derivation(volume: Volume, like: Volume, processing: Processing) -> str:
    """Return in a sentence what was done."""
    return (
        f"Super-resolution {scale_text(volume, like)} (columns x rows x slices) by {SOFTWARE} {version(SOFTWARE)}, "
        f"models {', '.join(processing.models) or 'none'}; not an acquired image"
    )[:SHORT_TEXT]


def coded(code: tuple[str, str]) -> Dataset:
    """Return a code of DICOM's own, its value and its meaning, as an item of a code sequence."""
    item = Dataset()
    item.CodingSchemeDesignator = "DCM"
    item.CodeValue, item.CodeMeaning = code
    return item


def source_references(frames: Sequence[Frame]) -> list[Dataset]:
    """Return items of a Source Image Sequence, one for each object that the frames are in."""
    by_file: dict[int, list[Frame]] = {}
    for frame in frames:
        by_file.setdefault(frame.file, []).append(frame)
    return [_reference(group) for group in by_file.values()]


def evidence(frames: Sequence[Frame]) -> Dataset:
    """Return an item of a Source Image Evidence Sequence: the study and series of the frames, and their objects."""
    objects = {frame.file: frame.header for frame in frames}
    item, series = Dataset(), Dataset()
    header = frames[0].header
    item.StudyInstanceUID = text(header, "StudyInstanceUID")
    series.SeriesInstanceUID = text(header, "SeriesInstanceUID")
    series.ReferencedSOPSequence = [_object_reference(header) for header in objects.values()]
    item.ReferencedSeriesSequence = [series]
    return item


def equipment(processing: Processing, now: datetime) -> Dataset:
    """Return an item of a Contributing Equipment Sequence that names this software."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(EQUIPMENT_PURPOSE)]
    item.Manufacturer = item.ManufacturerModelName = SOFTWARE
    item.SoftwareVersions = version(SOFTWARE)
    item.ContributionDateTime = now.strftime("%Y%m%d%H%M%S")
    item.ContributionDescription = f"Super-resolution with {', '.join(processing.models) or 'no model'}"[:SHORT_TEXT]
    return item


def write_sidecar(folder: Path, volume: Volume, like: Volume, processing: Processing, series_uid: str) -> None:
    """Write what was done to `SIDECAR` in a folder of finished files: nothing in it says whose scan it is."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    record = {
        "software": {SOFTWARE: version(SOFTWARE)},
        "models": {name: {"weights_sha256": sha256} for name, sha256 in processing.models.items()},
        "engine": processing.engine,
        "scale": [float(value) for value in np.divide(like.spacing, volume.spacing).round(6)],
        "parameters": dict(processing.parameters),
        "input": {"sha256": like.header.sha256, "size": list(like.shape), "spacing_mm": list(like.spacing)},
        "output": {
            "series_instance_uid": series_uid,
            "size": list(volume.shape),
            "spacing_mm": list(volume.spacing),
        },
        SOFTWARE: {"output_bytes": size, **processing.origin},
    }
    (folder / SIDECAR).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _reference(frames: Sequence[Frame]) -> Dataset:
    header = frames[0].header
    item = _object_reference(header)
    if items(header, PER_FRAME):
        item.ReferencedFrameNumber = sorted(frame.index + 1 for frame in frames)
    item.PurposeOfReferenceCodeSequence = [coded(SOURCE_PURPOSE)]
    return item


def _object_reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = text(header, "SOPClassUID")
    item.ReferencedSOPInstanceUID = text(header, "SOPInstanceUID")
    return item
