"""Every reader of files that come from elsewhere, as a function of bytes, and the seeds that fuzzing begins with."""

import gzip
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sr_keras.acquisition.description import read_acquisition
from sr_keras.adaptation.thickness import recorded_profile
from sr_keras.cohort.ledger import deaths_in, last_entries
from sr_keras.dicom.reading import read_series
from sr_keras.engines.manifest import read_manifest
from sr_keras.files import file_sha256
from sr_keras.inference import timing
from sr_keras.inference.carried import carried_metadata
from sr_keras.inference.output_grid import output_grid
from sr_keras.inference.provenance import made_otherwise
from sr_keras.io.nifti import read_volume
from sr_keras.io.scans import read_scan
from sr_keras.models.stages import SHIPPED, find_stage
from sr_keras.training.configuration import read_configuration

SEEDS = Path(__file__).parents[1] / "data" / "fuzz"
SMALL = 6
# Stands for the path of a scan.
SCAN = b"@SCAN@"


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        name: in the table, and of its folder of seeds.
        read: reads bytes that were put into a folder of its own.
        cases: of a hundred thousand.
        quick: cases that `make test` runs.
        made: makes a seed that is too large to be kept.
    """

    name: str
    read: Callable[[bytes, Path], object]
    cases: int
    quick: int
    made: Callable[[], bytes] | None = None

    def seeds(self) -> list[bytes]:
        """Return intact inputs, each of which is read without an error."""
        kept = [path.read_bytes() for path in sorted((SEEDS / self.name).glob("*"))]
        return [*kept, *([self.made()] if self.made else [])]


def put(folder: Path, name: str, data: bytes) -> Path:
    """Write a file and return its path."""
    (folder / name).write_bytes(data)
    return folder / name


def read_slice(data: bytes, folder: Path) -> object:
    """Read a series whose first two slices are intact."""
    series = folder / "series"
    if not series.exists():
        series.mkdir()
        for number, intact in enumerate(slices()[:2]):
            put(series, f"{number}.dcm", intact)
    put(series, "2.dcm", data)
    return read_series(series)


def read_pair(data: bytes, folder: Path) -> object:
    """Read a header whose voxels are intact."""
    if not (folder / "scan.img").exists():
        put(folder, "scan.img", (SEEDS / "nifti" / "int16.nii").read_bytes()[-2 * SMALL**3 :])
    return read_volume(put(folder, "scan.hdr", data))


def read_sidecar(data: bytes, folder: Path) -> object:
    """Read a scan with what a sidecar says of it."""
    scan = folder / "scan.nii"
    if not scan.exists():
        put(folder, "scan.nii", (SEEDS / "nifti" / "int16.nii").read_bytes())
    put(folder, "scan.json", data)
    volume = read_scan(scan)
    grid = output_grid(volume, (1, 1, 1), None, ())
    return recorded_profile(volume, 2), made_otherwise(scan, scan, {}), carried_metadata(scan, grid)


def read_ledger(data: bytes, folder: Path) -> object:
    """Read a ledger as a rerun and a summary do."""
    (folder / "logs").mkdir(exist_ok=True)
    ledger = put(folder / "logs", "ledger.jsonl", data)
    return last_entries(folder), deaths_in(ledger)


def read_card(data: bytes, folder: Path) -> object:
    """Read a card, and format what is said of it."""
    from sr_keras.evaluation.model_cards import card_text

    put(folder, "stage.weights.h5", b"")
    return card_text(find_stage(str(put(folder, "stage.json", data))))


def read_log(data: bytes, folder: Path) -> object:
    """Read the log of a training run."""
    from sr_keras.training.callbacks import rewind_log

    return rewind_log(put(folder, "log.csv", data), 2)


def read_times(data: bytes, folder: Path) -> object:
    """Read the seconds of each epoch of a training run."""
    from sr_keras.training.callbacks import EpochTimes

    return EpochTimes(put(folder, "seconds.json", data), 2).seconds


def read_run(data: bytes, folder: Path) -> object:
    """Resume a run by its description; its scan is too small, so that no training begins."""
    from sr_keras.training.run import resume_training

    run = folder / "run"
    if not run.exists():
        run.mkdir()
        shutil.copy(Path(__file__).parents[2] / "configs" / "georgescu2020_hw_x2.yaml", run / "configuration.yaml")
        put(folder, "scan.nii", (SEEDS / "nifti" / "int16.nii").read_bytes())
    put(run, "run.json", data.replace(SCAN, str(folder / "scan.nii").encode()))
    return resume_training(run)


def read_checkpoint(data: bytes, folder: Path) -> object:
    """Load a training run's weights and optimizer state."""
    from sr_keras.training.callbacks import restore_checkpoint

    return restore_checkpoint(network(), put(folder, "last.weights.h5", data))


def read_weights(data: bytes, folder: Path) -> object:
    """Load a stage's weights, whose card was written for them."""
    weights = put(folder, "georgescu2020_hw_x2.weights.h5", data)
    card = json.loads((SHIPPED / "georgescu2020_hw_x2.json").read_text()) | {"weights_sha256": file_sha256(weights)}
    return find_stage(str(put(folder, "georgescu2020_hw_x2.json", json.dumps(card).encode()))).network


@cache
def network() -> object:
    """Return a compiled network that checkpoints are loaded into."""
    from sr_keras.training.run import compiled_network

    return compiled_network(read_configuration("georgescu2020_hw_x2"))


def checkpoint() -> bytes:
    """Return a checkpoint before the first step."""
    from sr_keras.training.callbacks import _save as save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "last.weights.h5"
        model = network()
        model.optimizer.build(model.trainable_variables)
        save_checkpoint(model, path, 1)
        return path.read_bytes()


READERS = (
    Reader("nifti", lambda data, folder: read_volume(put(folder, "scan.nii", data)), 14_000, 400),
    Reader("gzip", lambda data, folder: read_volume(put(folder, "scan.nii.gz", data)), 6_000, 200),
    Reader(
        "nifti_in_gzip", lambda data, folder: read_volume(put(folder, "s.nii.gz", gzip.compress(data, 1))), 6_000, 200
    ),
    Reader("pair", read_pair, 3_000, 100),
    Reader("mgh", lambda data, folder: read_volume(put(folder, "scan.mgh", data)), 4_000, 100),
    Reader("nrrd", lambda data, folder: read_volume(put(folder, "scan.nrrd", data)), 3_000, 50),
    Reader("metaimage", lambda data, folder: read_volume(put(folder, "scan.mha", data)), 3_000, 50),
    Reader("sidecar", read_sidecar, 2_000, 50),
    Reader("dicom_slice", read_slice, 10_000, 150),
    Reader("dicom", lambda data, folder: read_scan(put(folder, "scan.dcm", data)), 10_000, 150),
    Reader("zip", lambda data, folder: read_scan(put(folder, "scan.zip", data)), 6_000, 100),
    Reader("yaml", lambda data, folder: read_configuration(str(put(folder, "a.yaml", data))), 7_000, 200),
    Reader("acquisition", lambda data, folder: read_acquisition(put(folder, "a.yaml", data)), 3_000, 100),
    Reader("ledger", read_ledger, 2_000, 50),
    Reader("card", read_card, 5_000, 150),
    Reader("manifest", lambda data, folder: manifest(data, folder), 5_000, 150),
    Reader("timings", lambda data, folder: timing._read(put(folder, "timings.json", data)), 4_000, 100),
    Reader("training_log", read_log, 2_500, 100),
    Reader("training_times", read_times, 1_500, 50),
    Reader("training_run", read_run, 1_000, 30),
    Reader("checkpoint", read_checkpoint, 1_000, 10, checkpoint),
    Reader("weights", read_weights, 1_000, 10, (SHIPPED / "georgescu2020_hw_x2.weights.h5").read_bytes),
)


def manifest(data: bytes, folder: Path) -> object:
    """Read the manifest of a file that is the one it was written for."""
    for name in ("georgescu2020_hw_x2.onnx", "georgescu2020_d_x4.onnx"):
        if not (folder / name).exists():
            shutil.copy(SHIPPED / "onnx" / name, folder)
    put(folder, "georgescu2020_hw_x2.onnx.json", data)
    return read_manifest(folder / "georgescu2020_hw_x2.onnx")


def slices() -> list[bytes]:
    """Return the files of a tiny series of the same identity each time."""
    return [path.read_bytes() for path in sorted((SEEDS / "series").glob("*"))]
