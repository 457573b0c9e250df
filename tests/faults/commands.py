"""Every command that writes, what it writes, and how to tell a right output from a broken one."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel
import numpy as np
import yaml
from cohorts import write_bids
from dicom.synthetic import classic, save
from helpers import SAMPLE
from PIL import Image
from pydicom import dcmread
from results import doubled

from sr_keras.models.stages import SHIPPED

# What a run leaves beside its output while it lasts, and after kill -9 until the next run.
TEMPORARY = ".sr_keras-"
# What a training run goes on from, and what it logs; its outputs are `run/stage.*`.
UNFINISHED = (
    *(
        f"run/{name}"
        for name in ("best.", "cache", "configuration.", "last.", "log.", "run.", "seconds.", "tensorboard")
    ),
    # A ledger holds times, and what a killed run had begun.
    "cohort/logs/",
)
TRAINING = {
    "network": {"family": "fast", "stage": "hw", "scale": 2},
    "patches": {"height": 8, "width": 8, "batch": 1},
    "training": {
        "epochs": 2,
        "steps_per_epoch": 2,
        "learning_rate": 0.001,
        "final_learning_rate": 0.0001,
        "validation_slices": 1,
    },
}


@dataclass(frozen=True)
class Command:
    """A command, told where its inputs lie and its outputs go by {inputs} and {out}.

    Attributes:
        name: in the tables.
        arguments: of the command line.
        again: what a rerun needs where an output exists.
        heavy: whether it needs TensorFlow.
        before: puts into the folder of outputs what the command changes there.
        kills: of a hundred, for what takes many seconds a run.
    """

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...] = ("--force",)
    heavy: bool = False
    before: Callable[[Path], None] = lambda out: None
    kills: int = 100

    def line(self, inputs: Path, out: Path, *more: str) -> list[str]:
        """Return the arguments for two folders."""
        return [part.format(inputs=inputs, out=out) for part in self.arguments] + list(more)


def _exported(out: Path) -> None:
    for suffix in (".onnx", ".onnx.json"):
        shutil.copy(SHIPPED / "onnx" / f"fast_hw_x2{suffix}", out)


PREDICT_NII = Command("predict .nii", ("predict", "{inputs}/scan.nii", "-o", "{out}/a.nii"))
PREDICT_GZ = Command("predict .nii.gz", ("predict", "{inputs}/scan.nii.gz", "-o", "{out}/a.nii.gz"))
PREDICT_WHOLE = Command(
    "predict, data consistency", ("predict", "{inputs}/scan.nii.gz", "-o", "{out}/a.nii.gz", "--data-consistency")
)
PREDICT_DICOM = Command("predict DICOM", ("predict", "{inputs}/series", "-o", "{out}/series", "--scale", "2x2x1"))
PREDICT_FOLDER = Command("predict a folder", ("predict", "{inputs}/scans", "-o", "{out}/scans"), again=())
EVALUATE = Command(
    "evaluate",
    (
        *("evaluate", "{inputs}/scan.nii.gz", "--task", "in-plane", "--model", "fast_hw_x2"),
        *("--json", "{out}/scores.json", "--figure", "{out}/figure.png"),
    ),
)
BENCHMARK = Command(
    "benchmark",
    (
        *("benchmark", "fast_hw_x2", "--shape", "16x16", "--batch", "1", "--scenario", "single-stream"),
        *("--duration", "0.1", "--json", "{out}/times.json"),
    ),
    kills=10,
)
EXPORT = Command("export", ("export", "fast_hw_x2", "--format", "onnx", "-o", "{out}/exported"), heavy=True)
VERIFY = Command("verify", ("verify", "{out}/fast_hw_x2.onnx"), again=(), heavy=True, before=_exported)
TRAIN = Command(
    "train, resume",
    (
        *("train", "{inputs}/training.yaml", "-o", "{out}/run"),
        *("--data", "{inputs}/scan.nii.gz", "--validation", "{inputs}/scan.nii.gz"),
    ),
    heavy=True,
)
MAPS = (
    "--uncertainty",
    "{out}/half_widths.nii.gz",
    "--residual",
    "{out}/residual.nii.gz",
    "--report",
    "{out}/page.html",
)
PREDICT_MAPS = Command("predict, maps, report", (*PREDICT_GZ.arguments, *MAPS))
REPORT = Command("report", ("report", "{inputs}/scan.nii.gz", "{inputs}/result.nii.gz", "-o", "{out}/page.html"))
BIDS = Command("bids", ("bids", "{inputs}/bids", "{out}/cohort", "participant"), again=())
STUDIES = Command("studies", ("studies", "{inputs}/studies", "-o", "{out}/cohort", "--scale", "2x2x1"), again=())
ADAPT = Command(
    "adapt", ("adapt", "{inputs}/thick.nii.gz", "-o", "{out}/adapted", "--adapt-steps", "2"), heavy=True, kills=20
)
# Those whose output is there whole or not at all; training leaves what it goes on from.
WHOLE = (
    *(PREDICT_NII, PREDICT_GZ, PREDICT_WHOLE, PREDICT_DICOM, PREDICT_FOLDER),
    *(PREDICT_MAPS, REPORT, BIDS, STUDIES),
    *(EVALUATE, EXPORT, VERIFY, BENCHMARK, ADAPT),
)


def write_inputs(folder: Path) -> Path:
    """Write the inputs of all commands: a brain of 32x28x16 voxels, eight DICOM slices, folders of scans."""
    (folder / "scans" / "deeper").mkdir(parents=True)
    brain = nibabel.load(SAMPLE).slicer[60:92, 36:64, 40:56]
    for name in ("scan.nii", "scan.nii.gz", "scans/1.nii.gz", "scans/2.nii", "scans/deeper/3.nii.gz"):
        nibabel.save(brain, folder / name)
    nibabel.save(nibabel.load(SAMPLE).slicer[56:128, :, 40:72:2], folder / "thick.nii.gz")
    doubled(folder / "scan.nii.gz", folder / "result.nii.gz")
    save(classic("MR", np.uint16, slices=8), folder / "series")
    write_bids(folder / "bids", 1)
    for name in ("one", "two"):
        save(classic("MR", np.uint16, slices=4), folder / "studies" / name)
    (folder / "training.yaml").write_text(yaml.safe_dump(TRAINING))
    return folder


def view(out: Path) -> dict[str, object]:
    """Return what lies in a folder of outputs by name: the meaning of files, "broken" for one that can't be read."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and not name.startswith(UNFINISHED):
            found[name] = _meaning(path)
    return found


def units(found: Mapping[str, object]) -> dict[str, object]:
    """Return what appears at once: files, and the folder of a DICOM series."""
    folders = {name.rpartition("/")[0] for name in found if name.endswith(".dcm")}
    appeared: dict[str, object] = {}
    for name, value in found.items():
        folder = name.rpartition("/")[0]
        if folder in folders:
            appeared.setdefault(folder, {})[name] = value
        else:
            appeared[name] = value
    return appeared


def temporaries(out: Path) -> list[str]:
    """Return the names of temporary files and folders."""
    return sorted(path.name for path in out.rglob("*") if path.name.startswith((TEMPORARY, "tmp")))


def _meaning(path: Path) -> object:
    readers: dict[str, Callable[[Path], object]] = {
        ".nii": _nifti,
        ".gz": _nifti,
        ".dcm": _dicom,
        ".json": lambda each: _form(json.loads(each.read_text())),
        ".png": lambda each: _digest(np.asarray(Image.open(each))),
        ".h5": _weights,
        # A page says how many seconds the result took.
        ".html": lambda each: hashlib.sha256(re.sub(rb"\d+\.\d s\b", b"", each.read_bytes())).hexdigest(),
    }
    try:
        return readers.get(path.suffix, lambda each: hashlib.sha256(each.read_bytes()).hexdigest())(path)
    # Whatever a reader finds wrong.
    except Exception as error:
        return f"broken: {error!r}"


def _nifti(path: Path) -> object:
    image = nibabel.load(path)
    return _digest(np.asarray(image.dataobj)), image.affine.tolist()


def _dicom(path: Path) -> object:
    dataset = dcmread(path)
    return _digest(dataset.pixel_array), str(dataset.ImagePositionPatient), str(dataset.PixelSpacing)


def _weights(path: Path) -> object:
    arrays: list[tuple[str, str]] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: arrays.append((name, _digest(item[()]))) if isinstance(item, h5py.Dataset) else None
        )
    return sorted(arrays)


def _form(content: object) -> object:
    """Return the keys of parsed JSON and the lengths of its lists: dates, times and identifiers differ by run."""
    if isinstance(content, dict):
        return {key: _form(value) for key, value in content.items()}
    return len(content) if isinstance(content, list) else type(content).__name__


def _digest(voxels: object) -> str:
    array = np.asarray(voxels)
    return f"{array.dtype} {array.shape} {hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}"
