"""The folder of results as a BIDS derivative: what it is, of what, and how each file came about."""

import json
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sr_keras.cohort.bids_finding import DESCRIPTION_FILE, LINK
from sr_keras.cohort.items import Scan
from sr_keras.cohort.ledger import FOLDER
from sr_keras.errors import OutputBusyError, OutputError, SrKerasError
from sr_keras.files import atomic_write, check_distinct, make_folder, read_json, remove_stale
from sr_keras.inference.provenance import SOFTWARE

BIDS_VERSION = "1.10.0"
# What a validator shall not look at: our own records, and CT, which the standard does not have yet.
IGNORED = (f"{FOLDER}/", "*.html", "group_SR.tsv", ".sr_keras-*", "**/ct")
IGNORE_FILE = ".bidsignore"
README = (
    "Scans of another data set, super-resolved by sr_keras. They are not acquired images, and for research only.\n"
    "dataset_description.json names the other data set and the models. Beside each scan lies how it was made.\n"
)


def begin_dataset(root: Path, output: Path, models: dict[str, str]) -> None:
    """Make the folder of results and say in it what it is.

    Args:
        root: of the data set that is read.
        output: the folder, which may exist.
        models: SHA-256 of the weights by the stages' names.

    Raises:
        OutputError: the folder is that of the data set, or somebody else's, or cannot be written.
    """
    check_distinct(root, output)
    make_folder(output)
    _check_is_ours(output)
    _write(output / DESCRIPTION_FILE, json.dumps(_description(root, output, models), indent=2) + "\n")
    _write(output / "README", README)
    _write(output / IGNORE_FILE, "".join(f"{pattern}\n" for pattern in IGNORED))


def sidecar_fields(scan: Scan) -> dict[str, Any]:
    """Return what the sidecar of a scan's result says in the words of BIDS."""
    return {"Sources": [scan.uri], "SkullStripped": _is_skull_stripped(scan.path)}


def _description(root: Path, output: Path, models: dict[str, str]) -> dict[str, Any]:
    raw = read_json(root / DESCRIPTION_FILE, SrKerasError)
    raw = raw if isinstance(raw, dict) else {}
    relative = quote(Path(os.path.relpath(root.resolve(), output.resolve())).as_posix() + "/")
    source = {"URL": relative}
    if isinstance(raw.get("DatasetDOI"), str):
        source["DOI"] = raw["DatasetDOI"]
    return {
        "Name": f"{raw.get('Name', root.resolve().name)}, super-resolved",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        **({"License": raw["License"]} if isinstance(raw.get("License"), str) else {}),
        "GeneratedBy": [{"Name": SOFTWARE, "Version": version(SOFTWARE), "Models": models}],
        "SourceDatasets": [source],
        "DatasetLinks": {LINK: relative},
    }


def _check_is_ours(output: Path) -> None:
    """Refuse a folder that holds another data set."""
    path = output / DESCRIPTION_FILE
    if not path.exists():
        return
    found = read_json(path, OutputError)
    makers = found.get("GeneratedBy", []) if isinstance(found, dict) else []
    if not any(isinstance(each, dict) and each.get("Name") == SOFTWARE for each in makers):
        raise OutputError(f"{output} is a data set that sr_keras did not make; choose another folder.")


def _write(path: Path, text: str) -> None:
    """Write a file unless it is there as it is to be; of many parts that begin at once one writes it."""
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text() == text:
            remove_stale(path)
            return
    with suppress(OutputBusyError), atomic_write(path) as temporary:
        temporary.write_text(text)


def _is_skull_stripped(scan: Path) -> bool:
    """Say whether a scan's own sidecar says so."""
    sidecar = scan.with_name(scan.name.partition(".")[0] + ".json")
    with suppress(SrKerasError):
        content = read_json(sidecar, SrKerasError)
        return isinstance(content, dict) and content.get("SkullStripped") is True
    return False
