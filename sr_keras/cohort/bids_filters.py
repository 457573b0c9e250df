"""Filter files as fMRIPrep takes them (`--bids-filter-file`): which of several scans are meant."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sr_keras.cohort.bids_names import DERIVED, INDICES, LONG_NAMES, BidsName
from sr_keras.errors import ConfigurationError
from sr_keras.files import read_json

# What fMRIPrep writes for "whatever the label, but one": its null means that the entity is absent.
ANY = ("*", "Query.ANY")
NONE = (None, "Query.NONE")
OPTIONAL = "Query.OPTIONAL"
# Keys of a query that are no entities.
OTHERS = ("datatype", "suffix", "extension")

Filters = Mapping[str, Mapping[str, Any]]


def read_filters(path: Path) -> Filters:
    """Return the queries of a filter file, by their names: suffixes in lower case, such as "t1w".

    Queries of other names, such as "bold", are for other programs and stay without effect.

    Raises:
        ConfigurationError: it is no such file, or a query asks for something that no name has.
    """
    content = read_json(path, ConfigurationError)
    if not isinstance(content, dict) or not all(isinstance(query, dict) for query in content.values()):
        raise ConfigurationError(f'{path} is no filter file; write it like {{"t1w": {{"session": "02"}}}}.')
    known = (*LONG_NAMES, *OTHERS)
    for query in content.values():
        for key in query.keys() - {*known}:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}."
            raise ConfigurationError(f"{path} asks for {key!r}, which no BIDS name has; {hint}")
    return content


def accepts(filters: Filters, name: BidsName, datatype: str) -> bool:
    """Say whether the queries leave a scan in.

    Args:
        filters: by name of the query.
        name: of the scan's file.
        datatype: the folder that it is in, such as "anat".
    """
    query = filters.get(name.suffix.lower(), {})
    actual = {"datatype": datatype, "suffix": name.suffix}
    for key, wanted in query.items():
        if key == "extension":
            continue
        entity = LONG_NAMES.get(key, key)
        if not _fits(entity, name.entities.get(entity, actual.get(key)), wanted):
            return False
    return not name.is_derived or any(LONG_NAMES.get(key) in name.entities.keys() & DERIVED for key in query)


def _fits(entity: str, label: str | None, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_fits(entity, label, each) for each in wanted)
    if wanted == OPTIONAL:
        return True
    if wanted in NONE:
        return label is None
    if wanted in ANY:
        return label is not None
    if label is None:
        return False
    text = str(wanted).removeprefix(f"{entity}-")
    if entity in INDICES and text.isdecimal() and label.isdecimal():
        return int(text) == int(label)
    return text == label
