"""The layers of the package and the direction of its imports, read from the source."""

import ast
from pathlib import Path

import sr_keras

PACKAGE = Path(sr_keras.__file__).parent
# Modules that every layer may use, then the layers from low to high: a module imports from its own floor and below.
COMMON = ("errors", "files", "framework", "machine", "progress", "resources")
LAYERS = (
    *("volumes", "networks", "acquisition", "models", "dicom", "io", "engines", "uncertainty"),
    *("inference", "training", "evaluation", "export", "adaptation", "benchmark", "web", "cohort", "report"),
    "cli",
)
FLOOR = dict.fromkeys(COMMON, 0) | {layer: floor for floor, layer in enumerate(LAYERS, 1)}
DATA = ("configs", "weights")
MODULES = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in DATA]


def imports_of(path):
    """Return the modules of the package that a module imports, at its top or in its functions."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return [name for name in (*plain, *(node.module for node in nodes if isinstance(node, ast.ImportFrom))) if name]


def test_only_common_modules_lie_outside_the_layers():
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == {*COMMON, "__init__", "__main__"}
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {*DATA} == {*LAYERS}


def test_no_import_runs_to_a_higher_layer():
    upward = []
    for path in MODULES:
        own, *_ = path.relative_to(PACKAGE).with_suffix("").parts
        # The package itself holds the public names, which are for its users: FLOOR has no such key.
        names = [name for name in imports_of(path) if name.split(".")[0] == "sr_keras"]
        layers = [([*name.split("."), "the package itself"])[1] for name in names]
        upward += [f"{own}: {layer}" for layer in layers if FLOOR.get(layer, len(FLOOR)) > FLOOR.get(own, len(FLOOR))]
    assert upward == []
