"""The files of the page, and the models beside them."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sr_keras.engines.folded_onnx import PLACES_SUFFIX
from sr_keras.errors import ConfigurationError, OutputError
from sr_keras.files import atomic_write_folder, check_output, make_folder
from sr_keras.models.registry import DEFAULT_FAMILY, by_family, choose_stages
from sr_keras.models.stages import SHIPPED, TrainedStage, shipped_stages

# What `make web` writes; a wheel that is built after it carries it.
BUILT = Path(__file__).with_name("site")
# The service worker keeps everything but the runtimes, of which each machine fetches one.
RUNTIMES, WORKER = "ort", "service-worker.js"


@dataclass(frozen=True)
class Site:
    """A page that was written.

    Attributes:
        folder: where it lies.
        files: how many it has.
        size: of all files, in bytes.
    """

    folder: Path
    files: int
    size: int


def write_site(output: str | os.PathLike[str], *, force: bool = False) -> Site:
    """Write the page and the shipped models to a folder that any web server can serve.

    Args:
        output: the folder.
        force: whether a folder may have other files, of which those with names of the page are replaced.

    Raises:
        ConfigurationError: the page is not built in this checkout.
        OutputError: the folder is not empty, or cannot be written.
    """
    output = Path(output)
    if not (BUILT / "index.html").is_file():
        raise ConfigurationError("The page is not built in this checkout; run make web.")
    if output.exists() and not force and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} exists; use --force to overwrite.")
    make_folder(output)
    with atomic_write_folder(output, "index.html") as folder:
        # Another run may have ended since.
        check_output(output / "index.html", force=force)
        shutil.copytree(BUILT, folder, ignore=shutil.ignore_patterns("__*__*"), dirs_exist_ok=True)
        _write_models(folder / "models")
        _name_files(folder)
    files = [path for path in output.rglob("*") if path.is_file()]
    return Site(output, len(files), sum(path.stat().st_size for path in files))


def _write_models(folder: Path) -> None:
    folder.mkdir()
    entries, stages = [], shipped_stages()
    for name, stage in stages.items():
        sources = _sources(name, stage)
        for source in sources.values():
            shutil.copyfile(source, folder / source.name)
        entries.append(_entry(name, stage, {part: source.name for part, source in sources.items()}))
    families = {family: list(choose_stages(stages, family)) for family in by_family(stages)}
    index = {
        "version": version("sr_keras"),
        "default_family": DEFAULT_FAMILY,
        "families": families,
        "stages": entries,
    }
    (folder / "index.json").write_text(json.dumps(index))


def _sources(name: str, stage: TrainedStage) -> dict[str, Path]:
    onnx = SHIPPED / "onnx" / f"{name}.onnx"
    if not stage.conditional:
        return {"onnx": onnx}
    return {"onnx": onnx, "places": onnx.with_suffix(PLACES_SUFFIX), "weights": stage.weights}


def _entry(name: str, stage: TrainedStage, files: dict[str, str]) -> dict[str, Any]:
    card = stage.card
    copied = ("family", "stage", "scale", "receptive_field_radius", "modalities", "macs", "description")
    return {"name": name, "files": files} | {field: getattr(card, field) for field in copied}


def _name_files(folder: Path) -> None:
    """Tell the service worker which files to keep, and by a hash when they are others."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    kept = [name for name in files if name != WORKER and not name.startswith(f"{RUNTIMES}/")]
    # The page itself is asked for by the address of its folder.
    addresses = ["./" if name == "index.html" else name for name in kept]
    quoted = json.dumps(json.dumps(addresses))[1:-1]
    worker = folder / WORKER
    digest = _digest(folder / name for name in files)
    worker.write_text(worker.read_text().replace("__FILES__", quoted).replace("__VERSION__", digest))


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
