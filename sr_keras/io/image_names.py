"""Names of image files: which format a name stands for, what belongs to it, and which files an image consists of."""

import os
from pathlib import Path

NIFTI = (".nii", ".nii.gz")
PAIRS = (".hdr", ".img")
FREESURFER = (".mgz", ".mgh")
ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
SUFFIXES = (*NIFTI, *FREESURFER, *PAIRS, *ITK)
# Their length follows from the shape and the type of their voxels.
UNCOMPRESSED = (".nii", ".hdr", ".img", ".mgh")
# macOS puts such files beside those that it copies to other file systems: they hold no voxels.
APPLE_DOUBLE = "._"
# The file with the voxels that is written beside a header.
DATA_SUFFIXES = {".hdr": ".img", ".img": ".hdr", ".nhdr": ".raw.gz", ".mhd": ".zraw"}
# Lines of a header that name its data, and the most of a header that is searched for them.
DATA_FIELDS = ("data file:", "datafile:", "elementdatafile")
LARGEST_HEADER = 1 << 16


def has_suffix(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> bool:
    """Say whether a file has one of some suffixes, in small or capital letters, and is none of macOS's own."""
    name = Path(path).name.lower()
    return name.endswith(suffixes) and not name.startswith(APPLE_DOUBLE)


def is_image(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is named like an image file of a format that can be read and written."""
    return has_suffix(path, SUFFIXES)


def suffix_of(path: str | os.PathLike[str]) -> str:
    """Return the suffix that says an image file's format, in small letters: ".nii.gz", ".mgz"; "" for any other."""
    name = Path(path).name.lower()
    return max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len, default="")


def beside(path: Path, suffix: str) -> Path:
    """Return the path of what lies beside an image file, named like it but for the suffix."""
    return path.with_name(path.name[: len(path.name) - len(suffix_of(path))] + suffix)


def output_files(path: Path) -> list[Path]:
    """Return the files that writing an image makes, the named one last."""
    data = DATA_SUFFIXES.get(suffix_of(path))
    return [*([beside(path, data)] if data else []), path]


def input_files(path: Path) -> list[Path]:
    """Return the files that an image consists of, as far as they exist, the named one first."""
    suffix = suffix_of(path)
    if suffix in PAIRS:
        others = [_sibling(path, DATA_SUFFIXES[suffix])]
    elif suffix in (".nhdr", ".mhd"):
        others = [path.with_name(name) for name in _data_names(path)]
    else:
        others = []
    return [path, *(other for other in others if other.is_file())]


def is_whole(path: Path) -> bool:
    """Say whether a file in a folder is an image by its name: of a pair, that is the header with its data beside it."""
    return is_image(path) and (
        suffix_of(path) not in PAIRS or (suffix_of(path) == ".hdr" and len(input_files(path)) == 2)
    )


def _sibling(path: Path, suffix: str) -> Path:
    """Return the other file of a pair, in capital letters where only such a one exists."""
    small, capital = beside(path, suffix), beside(path, suffix.upper())
    return capital if capital.exists() and not small.exists() else small


def _data_names(header: Path) -> list[str]:
    """Return what may be names of files after the field of a header that says where the data is."""
    with header.open("rb") as file:
        lines = file.read(LARGEST_HEADER).decode("latin-1").splitlines()
    starts = [
        number
        for number, line in enumerate(lines)
        if line.lower().replace(" ", "").startswith(tuple(field.replace(" ", "") for field in DATA_FIELDS))
    ]
    if not starts:
        return []
    first, *more = lines[starts[0] :]
    names = [first.replace("=", ":", 1).partition(":")[2], *more]
    return [name.strip() for name in names if name.strip() and "/" not in name and "\\" not in name]
