"""Small BIDS data sets and folders of studies, made of real scans."""

import json
from pathlib import Path

import nibabel
import numpy as np
from helpers import SAMPLE

# Voxels of a crop: two slices of them run in milliseconds.
SHAPE = (20, 18, 16)


def crop(path: Path, number: int = 0, shape: tuple[int, int, int] = SHAPE) -> Path:
    """Write a crop of the sample MRI; each number is another place in it."""
    image = nibabel.load(SAMPLE)
    path.parent.mkdir(parents=True, exist_ok=True)
    room = np.subtract(image.shape, shape) - 40
    i, j, k = 20 + np.random.default_rng(number).integers(0, np.maximum(room, 1))
    nibabel.save(image.slicer[i : i + shape[0], j : j + shape[1], k : k + shape[2]], path)
    return path


def describe(root: Path) -> Path:
    """Write what makes a folder a BIDS data set without a complaint."""
    root.mkdir(parents=True, exist_ok=True)
    content = {"Name": "crops", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}
    (root / "dataset_description.json").write_text(json.dumps(content))
    (root / "README").write_text("Crops of a public brain scan, for tests.\n")
    return root


def write_bids(root: Path, participants: int = 2) -> Path:
    """Write a data set: the first participant has sessions, runs and much that is not meant."""
    describe(root)
    crop(root / "sub-01/ses-1/anat/sub-01_ses-1_acq-mprage_run-01_T1w.nii.gz", 1)
    crop(root / "sub-01/ses-1/anat/sub-01_ses-1_acq-mprage_run-02_T1w.nii.gz", 2)
    crop(root / "sub-01/ses-2/anat/sub-01_ses-2_FLAIR.nii.gz", 3)
    for number in range(2, participants + 1):
        crop(root / f"sub-{number:02d}/anat/sub-{number:02d}_T1w.nii.gz", 10 + number)
    return root
