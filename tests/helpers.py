"""Functions and paths that tests import by name."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np

from sr_keras.export.reference_slices import downsampled, shipped_reference_slices
from sr_keras.models.stages import SHIPPED, TrainedStage
from sr_keras.networks import output_factors

SAMPLE = Path(__file__).parents[1] / "samples" / "t1w_brain.nii.gz"
# Side of the images that every stage runs on software GPUs, in pixels: compiling shaders takes most of the time.
SIDE = 24


def write_scan(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """Write a NIfTI-1 file by nibabel alone."""
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 2, 1]) if affine is None else affine), path)
    return path


def small_slices(stage: TrainedStage) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of real images (2, SIDE, SIDE) for a stage, and the ground truth."""
    height, width = output_factors(stage.card.stage, stage.card.scale)
    ground_truth = shipped_reference_slices().first[:2, : SIDE * height, 30 : 30 + SIDE * width]
    return downsampled(ground_truth, stage.card)


def write_zoo(folder: Path, *names: str, **values: object) -> Path:
    """Write shipped stages under other names into a folder, with their ONNX files, as a zoo of other families.

    Args:
        folder: made here.
        names: FAMILY_hw_x2 or FAMILY_d_x2.
        values: fields of every card.
    """
    (folder / "onnx").mkdir(parents=True)
    for name in names:
        family, kind, scale = name.rsplit("_", 2)
        source, fields = f"georgescu2020_{kind}_{scale}", {"family": family, **values}
        shutil.copy(SHIPPED / f"{source}.weights.h5", folder / f"{name}.weights.h5")
        card = json.loads((SHIPPED / f"{source}.json").read_text())
        (folder / f"{name}.json").write_text(json.dumps(card | fields))
        shutil.copy(SHIPPED / "onnx" / f"{source}.onnx", folder / "onnx" / f"{name}.onnx")
        manifest = json.loads((SHIPPED / "onnx" / f"{source}.onnx.json").read_text())
        manifest["card"] |= fields
        manifest["files"] = {f"{name}.onnx": digest for digest in manifest["files"].values()}
        (folder / "onnx" / f"{name}.onnx.json").write_text(json.dumps(manifest))
    return folder
