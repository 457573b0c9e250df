"""Export every shipped stage to every format and precision, and record each numerical verification.

    python export/export_zoo.py OUT RESULTS.json [MODEL]...

With MODELs only those are exported, and the rows of the others in RESULTS.json stay. It is written after each model, of
which one takes about a minute. The script prints a line for each file. A file that differs too much from Keras is
deleted, and a format whose packages are not installed is skipped; the script says so. `python benchmarks/zoo.py` puts
benchmarks/results/zoo_exports.json into docs/export.md.

Needs `pip install 'sr_keras[train,export,litert,openvino,ncnn,tensorrt-rtx]'`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sr_keras.engines import KerasEngine
from sr_keras.engines.formats import FORMATS
from sr_keras.engines.manifest import files_of
from sr_keras.errors import MissingDependencyError, ModelFileError
from sr_keras.export import Request, export_stage, model_file_path
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.models.stages import TrainedStage, shipped_stages


def exports(stage: TrainedStage, output: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each file of one stage: format, precision, bytes, verification."""
    reference = KerasEngine(stage)
    for kind, details in FORMATS.items():
        for precision in details.precisions:
            request = Request(stage, precision, shipped_reference_slices())
            row = {"model": stage.name, "format": details.title, "precision": precision}
            try:
                path, manifest = export_stage(request, kind, output, reference=reference, force=True)
            except MissingDependencyError as error:
                sys.stdout.write(f"{model_file_path(request, kind, output).name}: skipped: {error}\n")
                break
            except ModelFileError as error:
                yield row | {"bytes": None, "verification": {"status": "refused", "reason": str(error)}}
                continue
            size = sum((output / name).stat().st_size for name in files_of(path))
            yield row | {"bytes": size, "verification": manifest.verification}


def keep(rows: list[dict[str, Any]], results: Path, names: list[str]) -> None:
    """Write rows in the order of the shipped models."""
    in_order = sorted(rows, key=lambda row: names.index(row["model"]))
    results.write_text(json.dumps(in_order, indent=2) + "\n")


output, results = Path(sys.argv[1]), Path(sys.argv[2])
output.mkdir(parents=True, exist_ok=True)
stages = shipped_stages()
names = list(stages)
rows = [row for row in json.loads(results.read_text()) if row["model"] in names] if sys.argv[3:] else []
for name in sys.argv[3:] or names:
    rows = [row for row in rows if row["model"] != name]
    for row in exports(stages[name], output):
        rows.append(row)
        refusal = row["verification"]["reason"] if row["bytes"] is None else ""
        sys.stdout.write(
            f"{row['model']} {row['format']} {row['precision']}: {row['verification']['status']} {refusal}\n"
        )
        sys.stdout.flush()
    keep(rows, results, names)
