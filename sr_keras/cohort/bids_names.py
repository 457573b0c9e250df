"""File names of the Brain Imaging Data Structure (BIDS), read and made."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Entities in the order that names have them, by the standard's short names
# (https://bids-specification.readthedocs.io, appendix "Entity table", version 1.10).
ORDER = (
    *("sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce", "trc", "stain", "rec"),
    *("dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording"),
    *("chunk", "atlas", "seg", "scale", "res", "den", "label", "desc"),
)
PLACES = {entity: place for place, entity in enumerate(ORDER)}
# What only files have that were computed from others.
DERIVED = {"hemi", "space", "atlas", "seg", "scale", "res", "den", "label", "desc"}
# Names that PyBIDS, and with it the filter files of fMRIPrep, gives to entities.
LONG_NAMES = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "ceagent": "ce",
    "tracer": "trc",
    "staining": "stain",
    "reconstruction": "rec",
    "direction": "dir",
    "modality": "mod",
} | {name: name for name in ("sample", "task", "run", "echo", "flip", "inv", "mt", "part", "proc", "chunk", *DERIVED)}
# Their values are whole numbers: run-1 and run-01 are one.
INDICES = {"run", "echo", "flip", "inv", "split"}
NAME = re.compile(r"((?:[a-zA-Z]+-[a-zA-Z0-9+]+_)+)([a-zA-Z0-9]+)(\.nii(?:\.gz)?)")
DESCRIPTION = "SR"


@dataclass(frozen=True)
class BidsName:
    """A file's name.

    Attributes:
        entities: labels by the entities' short names, in the order of the name.
        suffix: the last part, such as "T1w".
    """

    entities: Mapping[str, str]
    suffix: str

    @property
    def is_derived(self) -> bool:
        """Whether the file was computed from another."""
        return not DERIVED.isdisjoint(self.entities)

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return "_".join([*(f"{entity}-{label}" for entity, label in self.entities.items()), self.suffix])


def parse_name(name: str) -> BidsName | None:
    """Return the parts of the name of a NIfTI file; None for a name that is not of BIDS."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    pairs = [part.partition("-") for part in found[1].rstrip("_").split("_")]
    entities = {entity: label for entity, _, label in pairs}
    return BidsName(entities, found[2]) if len(entities) == len(pairs) else None


def result_name(name: BidsName, resolution: str) -> str:
    """Return the name of a super-resolved file.

    Args:
        name: of the scan.
        resolution: the label of its new resolution.

    >>> result_name(parse_name("sub-01_ses-2_run-1_T1w.nii.gz"), "x2")
    'sub-01_ses-2_run-1_res-x2_desc-SR_T1w.nii.gz'
    """
    entities = dict(name.entities) | {"res": resolution, "desc": DESCRIPTION}
    # An entity that a later version of the standard adds to raw scans stays where those are.
    ordered = sorted(entities, key=lambda entity: PLACES.get(entity, PLACES["proc"]))
    return BidsName({entity: entities[entity] for entity in ordered}, name.suffix).stem + ".nii.gz"


def resolution_label(factors: Sequence[int], spacing: Sequence[float] | None) -> str:
    """Return the label of a resolution: letters and digits only.

    Args:
        factors: along i, j, k; without meaning where a spacing is given.
        spacing: in mm along i, j, k.

    >>> resolution_label((2, 2, 1), None), resolution_label((2, 2, 2), (0.5, 0.5, 0.5))
    ('2x2x1', '0p5mm')
    """
    texts = [f"{value:g}".replace(".", "p") for value in spacing or factors]
    same = len(set(texts)) == 1
    if spacing:
        return (texts[0] if same else "x".join(texts)) + "mm"
    return f"x{texts[0]}" if same else "x".join(texts)
