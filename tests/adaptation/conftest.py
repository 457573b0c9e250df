"""A scan with thick slices, made of the sample."""

from pathlib import Path

import numpy as np
import pytest

from sr_keras.acquisition.profiles import average_axis
from sr_keras.io.nifti import write_volume
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.volume import Volume


@pytest.fixture(scope="session")
def truth(sample: Volume) -> Volume:
    """72x80x96 voxels of brain, of 1.15x1.15x1 mm."""
    return sample.with_voxels(sample.voxels[56:128, :, 8:104])


@pytest.fixture(scope="session")
def thick(truth: Volume) -> Volume:
    """The same with Gaussian slices of 2 mm: 72x80x48."""
    voxels = average_axis(truth.voxels.astype(np.float32), 2, 2, "gaussian", 1.0)
    return Volume(voxels, rescaled_affine(truth.affine, (1, 1, 2)), "MR", source="thick")


@pytest.fixture(scope="session")
def thick_file(thick: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That scan as a file, int16."""
    path = tmp_path_factory.mktemp("thick") / "thick.nii.gz"
    write_volume(thick.with_voxels(np.rint(thick.voxels).astype(np.int16)), path, like=thick)
    return path
