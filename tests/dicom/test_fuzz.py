"""Damaged series: an error that says so or a volume, and never a hang, a traceback, a name or half an output."""

import os
import tempfile
import zipfile
from functools import cache
from io import BytesIO
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless
from synthetic import PATIENT, classic, enhanced

from sr_keras.dicom.provenance import Processing
from sr_keras.dicom.reading import read_series
from sr_keras.dicom.writing import write_series
from sr_keras.errors import SrKerasError
from sr_keras.volumes.geometry import rescaled_affine

DATA = Path(__file__).parents[1] / "data" / "dicom"
# A few seconds' worth; SR_KERAS_FUZZ=10000 is what a release is tested with.
EXAMPLES = int(os.environ.get("SR_KERAS_FUZZ", "100"))
# Which of the originals: those that a process of its own decodes, 5 to 7, are slower and come less often.
MIX = (*range(5), *range(5), *range(5), *range(5), 5, 6, 7)
# No mutation of a few kilobytes may take longer, in ms.
DEADLINE = 10_000
OTHER_FILES = (b"", b"notes", b"\x08\x00" + bytes(200), bytes(128) + b"DICM", bytes(128) + b"DICM" + bytes(300))


def file_bytes(dataset):
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def compressed(syntax):
    datasets = classic("MR", "uint16")
    for dataset in datasets:
        dataset.compress(syntax, generate_instance_uid=False)
    return [file_bytes(dataset) for dataset in datasets]


def implicit():
    datasets = classic("CT")
    for dataset in datasets:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return [file_bytes(dataset) for dataset in datasets]


@cache
def originals():
    """The files of small series, one of each kind."""
    jpeg = sorted((DATA / "compressed_jpeg").glob("*.dcm"))
    return [
        [file_bytes(dataset) for dataset in classic("CT")],
        implicit(),
        [file_bytes(enhanced())],
        [file_bytes(enhanced(times=2))],
        *(compressed(syntax) for syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless)),
        [path.read_bytes() for path in jpeg],
    ]


@st.composite
def mutations(draw):
    """A change of one file: which file, what to do, where (as fractions of its length), and with what."""
    kinds = ["truncate", "overwrite", "delete", "repeat", "swap", "tag", "length"]
    return (
        draw(st.integers(0, 9)),
        draw(st.sampled_from(kinds)),
        draw(st.floats(0, 1)),
        draw(st.floats(0, 1)),
        draw(st.binary(min_size=1, max_size=8)),
    )


def mutated(data, kind, first, second, material):
    """Return the bytes of a file after one change; most changes go to its header, where the meaning is."""
    header = min(len(data), max(200, len(data) // 2))
    start, end = sorted((int(first * (header - 1)), int(second * (header - 1))))
    if kind == "truncate":
        return data[: int(first * len(data))]
    if kind == "overwrite":
        return data[:start] + material + data[start + len(material) :]
    if kind == "delete":
        return data[:start] + data[start + len(material) :]
    if kind == "repeat":
        return data[:end] + data[start:end][:64] + data[end:]
    if kind == "swap":
        size = min(8, end - start)
        return (
            data[:start]
            + data[end : end + size]
            + data[start + size : end]
            + data[start : start + size]
            + data[end + size :]
        )
    return _changed_element(data, kind, first, material)


def _changed_element(data, kind, first, material):
    """Change the tag or the length of an element of a file that can still be parsed."""
    try:
        dataset = dcmread(BytesIO(data), force=True)
        elements = list(dataset.iterall())
        position = int(first * (len(elements) - 1))
        encoded = elements[position].tag.group.to_bytes(2, "little") + elements[position].tag.elem.to_bytes(2, "little")
    except Exception:
        return data + material
    start = data.find(encoded)
    offset = start + (4 if kind == "length" else 2)
    return data if start < 0 else data[:offset] + material[:4] + data[offset + len(material[:4]) :]


@settings(max_examples=EXAMPLES, deadline=DEADLINE, suppress_health_check=list(HealthCheck), database=None)
@given(
    st.sampled_from(MIX),
    st.lists(mutations(), min_size=1, max_size=3),
    st.sampled_from((None, *OTHER_FILES)),
    st.booleans(),
)
def test_damage_is_said_in_one_line(which, changes, other, zipped):
    files = list(originals()[which])
    for file, kind, first, second, material in changes:
        files[file % len(files)] = mutated(files[file % len(files)], kind, first, second, material)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        scan = packed(files + ([other] if other is not None else []), place, zipped)
        before = sorted(place.rglob("*"))
        said = ""
        try:
            volume = read_series(scan, frame_group=2 if which == 3 else None)
            affine = rescaled_affine(volume.affine, [0.5, 1, 0.5])
            larger = volume.with_voxels(volume.voxels.repeat(2, 0).repeat(2, 2), affine)
            write_series(larger, place / "out", like=volume, processing=Processing({}, "none"))
            read_series(place / "out")
        except SrKerasError as error:
            said = str(error)
        assert "\n" not in said
        assert not any(part in said for part in (*PATIENT.split("^"), "Q-4711", "19500101"))
        if not (place / "out").exists():
            assert sorted(place.rglob("*")) == before


def packed(files, place, zipped):
    """Put files into a folder, or into a .zip, and return its path."""
    if zipped:
        with zipfile.ZipFile(place / "scan.zip", "w") as archive:
            for number, data in enumerate(files):
                archive.writestr(f"{number}", data)
        return place / "scan.zip"
    (place / "scan").mkdir()
    for number, data in enumerate(files):
        (place / "scan" / f"{number}").write_bytes(data)
    return place / "scan"
