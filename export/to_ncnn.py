"""Export the shipped stages for Android, Jetson, Raspberry Pi and other edge devices.

    python export/to_ncnn.py out

Needs `pip install 'sr_keras[train,ncnn]'`.
"""

import sys
from pathlib import Path

from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import shipped_stages

output = Path(sys.argv[1])
output.mkdir(parents=True, exist_ok=True)
for stage in shipped_stages().values():
    for precision in ("fp32", "fp16"):
        path, manifest = export_stage(Request(stage, precision, shipped_reference_slices()), "ncnn", output, force=True)
        sys.stdout.write(f"{path}: largest error {manifest.verification['largest_error']:.1e}\n")
