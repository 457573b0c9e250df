"""Write the shipped ONNX files, with which the package predicts without Keras. Run it after weights change.

python export/ship_onnx.py sr_keras/weights/onnx [MODEL]...

Without a MODEL it writes those of all that ship.
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sr_keras.engines.manifest import files_of
from sr_keras.export import Request, export_stage
from sr_keras.export.folding import write_folding
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import shipped_stages

target, stages = Path(sys.argv[1]), shipped_stages()
for name in sys.argv[2:] or stages:
    stage = stages[name]
    with TemporaryDirectory() as folder:
        request = Request(stage, "fp32", shipped_reference_slices())
        written, manifest = export_stage(request, "onnx", Path(folder))
        model_file = target / f"{name}.onnx"
        model_file.write_bytes(written.read_bytes())
        if stage.conditional:
            write_folding(stage, model_file, request)
    replace(manifest, files=files_of(model_file)).write(model_file)
    sys.stdout.write(f"{model_file}: largest error {manifest.verification['largest_error']:.1e}\n")
