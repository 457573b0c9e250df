"""Draw details of real scans at their own resolution, upsampled by x2 in-plane: Lanczos, `fast` at two dials, `best`.

    python benchmarks/acquisition_montage.py docs/images/real-scans.png DATA_FOLDER

The folder holds the scans of `DETAILS`. None of them has a ground truth at this resolution: look.
"""

import argparse
from pathlib import Path

import numpy as np
from acquisition_methods import lanczos, model
from acquisitions import load
from PIL import Image

from sr_keras.volumes.normalization import tissue_slices

# Where the middle of the detail lies, as shares of the rows and columns, and the window of normalised intensities.
DETAILS: dict[str, tuple[float, float, float, float]] = {
    "val/mri/t1w_siemens_0p9mm_f": (0.5, 0.5, 0.0, 1.0),
    "val/mri/t1w_siemens_1mm_g": (0.5, 0.5, 0.0, 1.0),
    "val/ct/chest_cta_1p5mm_d": (0.5, 0.5, 0.25, 0.6),
    "train/ct/chest_ge_2p5mm_c": (0.5, 0.4, 0.3, 0.6),
    "train/ct/lspine_sagittal_toshiba_3mm_f": (0.45, 0.5, 0.35, 0.65),
    "train/mri/knee_pdfs_siemens_3p3mm_i": (0.5, 0.5, 0.0, 1.0),
}
# Rows and columns of a detail in upsampled pixels.
SIZE = (180, 220)


def main() -> None:
    """Draw a row for each scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    fast, best = model("fast", 2), model("best", 2)
    columns = [(lanczos, 1.0), (fast, 1.0), (fast, 0.5), (best, 1.0)]
    rows = []
    for name, (row, column, low, high) in DETAILS.items():
        scan = load(arguments.data / f"{name}.nii.gz")
        shown = tissue_slices(scan.tissue, 0)
        middle = shown[len(shown) // 2]
        stack = scan.voxels[middle - 4 : middle + 5]
        cells = []
        for method, dial in columns:
            image = method(stack, (1, 2, 2), dial)[len(stack) // 2]
            first = [
                int(np.clip(share * length - size / 2, 0, length - size))
                for share, length, size in zip((row, column), image.shape, SIZE, strict=True)
            ]
            detail = image[first[0] : first[0] + SIZE[0], first[1] : first[1] + SIZE[1]]
            cells.append(np.clip((detail - low) / (high - low), 0, 1))
        rows.append(np.hstack(cells))
    picture = np.kron(np.vstack(rows), np.ones((2, 2)))
    Image.fromarray((picture * 255).astype(np.uint8)).save(arguments.picture, optimize=True)


if __name__ == "__main__":
    main()
