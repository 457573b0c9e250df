"""Make the reference slices of the package from a scan.

python export/make_slices.py samples/t1w_brain.nii.gz sr_keras/export/slices.npz
"""

import sys
from pathlib import Path

import numpy as np

from sr_keras.export.reference_slices import KEYS, reference_slices_of
from sr_keras.io.nifti import read_volume

scan, target = map(Path, sys.argv[1:])
slices = reference_slices_of(read_volume(scan))
np.savez_compressed(target, **{key: getattr(slices, key).astype(np.float16) for key in KEYS})
