"""Functions and paths that tests import by name."""

from pathlib import Path

import nibabel
import numpy as np

SAMPLE = Path(__file__).parents[1] / "samples" / "t1w_brain.nii.gz"


def write_scan(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """Write a NIfTI-1 file by nibabel alone."""
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 2, 1]) if affine is None else affine), path)
    return path
