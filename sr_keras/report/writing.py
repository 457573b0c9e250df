"""The report of one result: what was read, what is measured on it, and the page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from sr_keras.errors import VolumeError
from sr_keras.files import check_distinct
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.maps import RESIDUAL, UNCERTAINTY
from sr_keras.inference.output_grid import Grid
from sr_keras.inference.provenance import SOFTWARE, scan_sha256
from sr_keras.io.scans import Choice, count_volumes, is_image_file, read_scan
from sr_keras.report.boxes import cropped, tissue_box
from sr_keras.report.contents import Shown, report_text
from sr_keras.report.identity import identity_of
from sr_keras.report.layers import check_cover, check_map, fit_layers
from sr_keras.report.page import check_page, write_page
from sr_keras.report.record import UNRECORDED, calibration_of, read_record, rows_of, warnings_of
from sr_keras.report.sharpness import matching_axes, measure_sharpness
from sr_keras.volumes.volume import Modality, Volume

OTHER_SCAN = "The record beside the result names another scan (its SHA-256 differs): it may not be that of this scan."
# Names of files that are words of a record, and nobody's name.
ORDINARY = ("scan", "result", "")
# What the records of maps say that they are.
DESCRIPTIONS = {"uncertainty": UNCERTAINTY, "residual": RESIDUAL}
DIRECTIONS = {"L": "left to right", "P": "posterior to anterior", "I": "inferior to superior"}
DIRECTIONS |= {"R": DIRECTIONS["L"], "A": DIRECTIONS["P"], "S": DIRECTIONS["I"]}


@dataclass(frozen=True)
class Report:
    """What to make a page of.

    Attributes:
        scan: an image file or a DICOM series.
        result: of the scan.
        maps: of the result, by name: "uncertainty" and "residual".
        identify: whether the page names files and the patient.
        choice: which volume of the scan; of a time series the first one if none is chosen.
        modality: of both; None infers it.
        nan_fill: the value for voxels that are NaN or infinite; None refuses them.
    """

    scan: Path
    result: Path
    maps: Mapping[str, Path] = field(default_factory=dict)
    identify: bool = False
    choice: Choice | None = None
    modality: Modality | None = None
    nan_fill: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scan", Path(self.scan))
        object.__setattr__(self, "result", Path(self.result))
        object.__setattr__(self, "maps", {name: Path(path) for name, path in self.maps.items()})


def report_of(job: PredictionJob, scan: Path, output: Path) -> Report:
    """Return what to show of a result that a job makes, with the maps that it writes."""
    maps = {"uncertainty": job.maps.uncertainty, "residual": job.maps.residual}
    known = {name: path for name, path in maps.items() if path is not None}
    return Report(scan, output, known, choice=job.choice, modality=job.modality, nan_fill=job.nan_fill)


def write_report(report: Report, output: str | PathLike[str], *, force: bool = False) -> list[str]:
    """Write a page that shows a result beside its scan, and return what it warns of.

    Args:
        report: what to show.
        output: an .html file, of less than 25 MB.
        force: whether a file that exists there is overwritten.

    Raises:
        SrKerasError: a volume cannot be read, they do not lie over each other, or the page cannot be written.
    """
    output = Path(output)
    check_report(report, output, force=force)
    record = read_record(report.result)
    _check_map_records(report, record)
    warnings, rows = warnings_of(record), [*rows_of(record), *_map_rows(report)]
    if not report.identify:
        anonymous = _Anonymous(report)
        warnings, rows = [anonymous(each) for each in warnings], [(title, anonymous(text)) for title, text in rows]
    warnings += _doubts(report, record)
    write_page(report_text(_read(report), rows, warnings), output, force=force)
    return warnings


def check_report(report: Report, output: Path, *, force: bool) -> None:
    """Refuse a report before any work is done for it.

    Raises:
        OutputError: the page's name has another suffix, or it exists, or is one of the inputs.
    """
    check_page(output, force=force)
    for path in (report.scan, report.result, *report.maps.values()):
        check_distinct(path, output)


def _read(report: Report) -> Shown:
    """Read each volume once; of the scan only its tissue is kept while the result is read."""
    scan = _volume(report, report.scan, report.modality)
    box = tissue_box(scan)
    before = [measure_sharpness(scan, axis) for axis in range(3)]
    summary, codes, affine, identity = scan.summary, scan.axis_codes, scan.affine, identity_of(scan)
    whole, scan = Grid(scan.shape, scan.affine, scan.source), cropped(scan, box)
    result = _volume(report, report.result, scan.modality)
    if not _has_grid_of_another(report.result):
        check_cover(result, whole)
    after = [measure_sharpness(result, axis) for axis in matching_axes(affine, result.affine)]
    maps = {}
    for name, path in report.maps.items():
        maps[name] = read_scan(path, modality="MR", nan_fill=0.0)
        # The residual is what the scan says: it lies on the grid of the scan.
        covered = whole if name == "residual" else Grid(result.shape, result.affine, result.source)
        check_map(maps[name], covered)
    axes = [(DIRECTIONS[code], one, other) for code, one, other in zip(codes, before, after, strict=True)]
    names = [("Scan", report.scan.name), ("Result", report.result.name), *identity] if report.identify else []
    return Shown(fit_layers(scan, result, maps), summary, result.summary, axes, names)


def _volume(report: Report, path: Path, modality: Modality | None) -> Volume:
    choice = report.choice or Choice()
    if not path.exists():
        raise VolumeError(f"{path} does not exist; check the path.")
    if path == report.result:
        # The series and the frame group are the scan's; a result has one of each.
        choice = Choice(volume=choice.volume if is_image_file(path) and count_volumes(path) > 1 else None)
    if count_volumes(path, choice) > 1:
        choice = replace(choice, volume=1)
    return read_scan(path, modality=modality, nan_fill=report.nan_fill, choice=choice)


def _map_rows(report: Report) -> list[tuple[str, str]]:
    """Return how far the intervals of the uncertainty can be trusted."""
    path = report.maps.get("uncertainty")
    text = calibration_of(read_record(path)) if path else ""
    return [("Uncertainty", text)] if text else []


def _check_map_records(report: Report, record: Mapping[str, Any]) -> None:
    """Refuse a map whose record says that it is another one, or of another scan than the result.

    Args:
        report: what to show.
        record: of the result; the scan itself is compared where it says nothing.

    Raises:
        VolumeError: as said.
    """
    records = {name: read_record(path) for name, path in report.maps.items()}
    if not any(records.values()):
        return
    source = _source(record) or scan_sha256(report.scan)
    for name, said in records.items():
        description = said.get("Description") or DESCRIPTIONS[name]
        if description != DESCRIPTIONS[name]:
            raise VolumeError(f'{report.maps[name]} is no {name} but "{description}"; name the {name} map.')
        if _source(said) not in (None, source):
            raise VolumeError(f"{report.maps[name]} was made of another scan; name the map that was made with it.")


def _source(record: Mapping[str, Any]) -> Any:
    """Return the SHA-256 of the scan that a record names."""
    return record[SOFTWARE].get("input_sha256") if record else None


def _has_grid_of_another(result: Path) -> bool:
    """Say whether a result was put onto the grid of another image, which may show a part of its scan alone."""
    record = read_record(result)
    request = record[SOFTWARE].get("request") if record else None
    return isinstance(request, Mapping) and bool(request.get("like"))


def _doubts(report: Report, record: Mapping[str, Any]) -> list[str]:
    """Return what speaks against the record beside a result."""
    if not record:
        return [UNRECORDED]
    known = _source(record)
    return [OTHER_SCAN] if known and known != scan_sha256(report.scan) else []


class _Anonymous:
    """Takes the names of files, which may be a patient's, out of texts."""

    def __init__(self, report: Report) -> None:
        self._names: dict[str, str] = {}
        for path, word in ((report.result, "the result"), (report.scan, "the scan")):
            self._names |= {path.name: word, path.name.split(".")[0]: word}
        for name in ORDINARY:
            self._names.pop(name, None)

    def __call__(self, text: str) -> str:
        for name, word in sorted(self._names.items(), key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text)
        return text
