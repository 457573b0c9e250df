"""What a cohort is made of: scans, and folders in which scans are still to be found."""

from dataclasses import dataclass
from pathlib import Path

from sr_keras.volumes.volume import Modality

# Voxels along i, j, k and their spacing in mm.
Geometry = tuple[tuple[int, int, int], tuple[float, float, float]]


@dataclass(frozen=True)
class Scan:
    """A scan and where its result goes.

    Attributes:
        name: by which the ledger knows it: its path within the cohort.
        path: the file, or the folder or .zip that the series is in.
        output: a NIfTI file, or the folder of a new DICOM series.
        modality: "CT" or "MR"; None leaves it to the job.
        uri: its BIDS URI, for the sidecar; empty outside BIDS.
        files: those of the one DICOM series; empty for a NIfTI file and for a .zip.
        series: UID of the series in a .zip.
        frame_group: which volume of the series, from 1; None where there is one.
        geometry: as far as it is known without reading the file.
    """

    name: str
    path: Path
    output: Path
    modality: Modality | None = None
    uri: str = ""
    files: tuple[Path, ...] = ()
    series: str | None = None
    frame_group: int | None = None
    geometry: Geometry | None = None


@dataclass(frozen=True)
class Folder:
    """A folder of DICOM studies that is still to be searched.

    Attributes:
        name: its path within the cohort.
        path: of the folder, or of a .zip.
        output: the folder that the results of its scans go to.
    """

    name: str
    path: Path
    output: Path


Item = Scan | Folder
