"""Export the shipped stages for NVIDIA RTX GPUs, on any machine, with or without a GPU.

    python export/to_tensorrt_rtx.py out SM89 SM120

Needs `pip install 'sr_keras[train,tensorrt-rtx]'`. Run `sr-keras verify FILE` on the target.
"""

import sys
from pathlib import Path

from sr_keras.export import Request, export_stage
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import shipped_stages

output, capabilities = Path(sys.argv[1]), tuple(sys.argv[2:])
output.mkdir(parents=True, exist_ok=True)
for stage in shipped_stages().values():
    for precision in ("fp32", "fp16", "int8"):
        request = Request(stage, precision, shipped_reference_slices(), compute_capabilities=capabilities)
        path, manifest = export_stage(request, "tensorrt-rtx", output, force=True)
        sys.stdout.write(f"{path}: {manifest.verification['status']}\n")
