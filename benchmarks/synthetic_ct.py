"""A CT that is made, not measured: a body with organs, bones and a scanner's noise, in air, with padding around it."""

from pathlib import Path

import nibabel
import numpy as np

NOISE_HU, PADDING_HU, AIR_HU, FAT_HU, SEED = 12.0, -2000, -1000, -100, 0
# Half axes as a share of the field of view, centre along i and j, and HU: the body, lungs, liver, spine.
ORGANS = (
    (0.42, 0.32, 0.0, 0.0, 40),
    (0.14, 0.20, -0.18, 0.0, -850),
    (0.14, 0.20, 0.18, 0.0, -850),
    (0.10, 0.08, 0.05, -0.18, 60),
    (0.05, 0.05, 0.0, 0.22, 700),
)


def write_ct(path: Path, shape: tuple[int, int, int]) -> Path:
    """Write the CT as an int16 NIfTI file, slice by slice."""
    generator = np.random.default_rng(SEED)
    voxels = np.empty(shape, np.int16, order="F")
    x, y = np.meshgrid(*(np.linspace(-0.5, 0.5, length) for length in shape[:2]), indexing="ij")
    for k in range(shape[2]):
        # Organs grow and shrink along the body.
        size = 1 + 0.15 * np.sin(6 * np.pi * k / shape[2])
        image = np.full(shape[:2], AIR_HU, np.float32)
        for number, (width, height, left, up, value) in enumerate(ORGANS):
            radius = np.hypot((x - left) / (width * size), (y - up) / (height * size))
            image[radius < 1] = FAT_HU if number == 0 else value
            image[radius < 0.95] = value
        image += generator.normal(0, NOISE_HU, image.shape).astype(np.float32)
        image[np.hypot(x, y) > 0.5] = PADDING_HU
        voxels[:, :, k] = np.rint(image)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([0.7, 0.7, 1.0, 1.0])), path)
    return path
