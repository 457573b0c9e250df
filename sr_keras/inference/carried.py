"""What lies beside a scan and stays true of its result: metadata of a BIDS sidecar, and diffusion gradients.

BIDS asks of a derivative's sidecar that it states only what is true of the derivative: a key is carried over unless the
tables here say that it depends on the grid of the voxels, on when each slice was taken, or on who the patient is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.errors import OutputError, SrKerasError
from sr_keras.files import read_json
from sr_keras.inference.output_grid import OutputGrid
from sr_keras.io.image_names import beside

# Parts of keys that are about slices, matrices and sizes of voxels, in small letters.
GRID_PARTS = ("slice", "matrix", "voxel", "pixelspacing", "mosaic", "dcmmeta")
# Keys about the grid without such a part. An effective echo spacing is the readout time over the lines of the image;
# the readout time itself stays true.
GRID_KEYS = {
    "AcquisitionResolution",
    "BaseResolution",
    "Columns",
    "Density",
    "DerivedVendorReportedEchoSpacing",
    "EffectiveEchoSpacing",
    "ImageOrientationPatientDICOM",
    "ImageOrientationText",
    "ImagePositionPatient",
    "NumberOfFrames",
    "Resolution",
    "Rows",
    "SpacingBetweenSlices",
}
# Keys that name axes of the image, or the space that it lies in: they are not true on another image's grid.
AXIS_KEYS = {"PhaseEncodingAxis", "PhaseEncodingDirection", "SpatialReference"}
# Keys about the whole of a time series, not about one volume of it.
SERIES_KEYS = {"VolumeTiming", "NumberOfTemporalPositions", "dcmmeta_shape"}
# Keys that say who the patient is: a result needs none of them.
PATIENT_KEYS = {
    "AccessionNumber",
    "IssuerOfPatientID",
    "OtherPatientIDs",
    "PatientAddress",
    "PatientBirthDate",
    "PatientBirthName",
    "PatientBirthTime",
    "PatientComments",
    "PatientID",
    "PatientName",
    "PatientTelephoneNumbers",
    "ReferringPhysicianName",
}
GRADIENTS = (".bval", ".bvec")
# No table of gradients is larger, in bytes.
LARGEST_TABLE = 1 << 20


def carried_metadata(scan: Path, grid: OutputGrid, *, one_of_many: bool = False) -> dict[str, Any]:
    """Return what the sidecar of a scan says that stays true of its result; nothing where it has none.

    Args:
        scan: an image file; its sidecar is the `.json` of the same name.
        grid: of the result.
        one_of_many: whether the result is made of one volume of a time series.
    """
    path = beside(scan, ".json")
    if not scan.is_file() or not path.is_file():
        return {}
    try:
        record = read_json(path, SrKerasError)
    except SrKerasError:
        return {}
    if not isinstance(record, Mapping):
        return {}
    gone = GRID_KEYS | PATIENT_KEYS
    gone |= AXIS_KEYS if _turns(grid) else set()
    gone |= SERIES_KEYS if one_of_many else set()
    kept = {key: value for key, value in record.items() if key not in gone and not _is_about_grid(key)}
    return {key: value for key, value in kept.items() if _is_json(value)}


def carried_gradients(scan: Path, grid: OutputGrid, count: int) -> dict[str, bytes]:
    """Return the tables of diffusion gradients beside a scan, by their suffix, where they are those of its result.

    Gradients are given in axes of the image, which a finer grid over the same box does not turn.

    Args:
        scan: an image file; its tables are the `.bval` and `.bvec` of the same name.
        grid: of the result.
        count: of volumes of the result.
    """
    if count == 1 or not scan.is_file() or _turns(grid):
        return {}
    found = {suffix: _table(beside(scan, suffix), count) for suffix in GRADIENTS}
    return {suffix: content for suffix, content in found.items() if content is not None}


def check_gradients(scan: Path, output: Path, *, force: bool) -> None:
    """Refuse an output whose tables of gradients would replace others.

    Args:
        scan: an image file.
        output: an image file.
        force: whether they may.

    Raises:
        OutputError: they would.
    """
    for suffix in GRADIENTS:
        path = beside(output, suffix)
        if not force and path.exists() and beside(scan, suffix).exists():
            raise OutputError(f"{path} exists and would be replaced by that of the scan; use --force to overwrite.")


def _table(path: Path, count: int) -> bytes | None:
    """Return a table that has a number, or a column, for each volume."""
    if not path.is_file() or path.stat().st_size > LARGEST_TABLE:
        return None
    content = path.read_bytes()
    try:
        rows = [[float(word) for word in line.split()] for line in content.decode().splitlines() if line.strip()]
    except ValueError:
        return None
    return content if rows and {len(row) for row in rows} == {count} else None


def _turns(grid: OutputGrid) -> bool:
    """Say whether the axes of the result are others than those of the scan."""
    regridding = grid.regridding
    if regridding is None:
        return False
    return regridding.axes != (0, 1, 2) or bool((np.diag(regridding.to_source)[:3] < 0).any())


def _is_json(value: Any) -> bool:
    """Say whether JSON can hold a value: Python reads NaN and infinite numbers, which no other reader takes."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _is_about_grid(key: str) -> bool:
    return any(part in key.lower() for part in GRID_PARTS)
