"""What it takes to read DICOM inputs that are many, or claim more than they hold: seconds and memory.

python benchmarks/series_costs.py benchmarks/results/series_costs.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dicom"))
from synthetic import classic, enhanced, save

GB, PIECE = 1_000_000_000, 1 << 24
PROGRAM = """
import json, sys, time
from pathlib import Path
from sr_keras.dicom.reading import read_series
from sr_keras.errors import VolumeError
status = Path("/proc/self/status")
memory = lambda name: int(dict(l.split(":", 1) for l in status.read_text().splitlines())[name].split()[0]) * 1024
before, start, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
try:
    result = "read: " + read_series(Path(sys.argv[1])).summary
except VolumeError as error:
    result = "refused: " + str(error).removeprefix(sys.argv[1])
print(json.dumps({"result": result, "seconds": round(time.perf_counter() - start, 2),
    "processor_seconds": round(time.process_time() - cpu, 2), "memory_bytes": max(0, memory("VmHWM") - before)}))
"""


def unfinished(dataset: Dataset, length: int) -> bytes:
    """Return a file up to its pixel data, which are said to have a length."""
    dataset.PixelData, buffer = b"", BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()[:-4] + length.to_bytes(4, "little")


def large_member(folder: Path) -> Path:
    """Write a .zip whose one member has 2.2 GB of pixels."""
    with (
        zipfile.ZipFile(folder / "scan.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.dcm", "w", force_zip64=True) as member,
    ):
        member.write(unfinished(classic("CT", slices=1)[0], 22 * GB // 10))
        for _ in range(22 * GB // 10 // PIECE):
            member.write(bytes(PIECE))
    return folder / "scan.zip"


def deflated_bomb(folder: Path) -> Path:
    """Write a deflated object of 1 MB that inflates to 1 GB."""
    dataset = classic("CT", slices=1)[0]
    plain = unfinished(deepcopy(dataset), GB)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta, old = BytesIO(), BytesIO()
    write_file_meta_info(old, classic("CT", slices=1)[0].file_meta)
    write_file_meta_info(meta, dataset.file_meta)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(plain[132 + len(old.getvalue()) :])
    body += b"".join(packer.compress(bytes(PIECE)) for _ in range(GB // PIECE)) + packer.flush()
    (folder / "bomb.dcm").write_bytes(bytes(128) + b"DICM" + meta.getvalue() + body)
    return folder / "bomb.dcm"


def many_frames(folder: Path) -> Path:
    """Write an object that describes 60,000 frames and holds the pixels of a few."""
    dataset = enhanced()
    dataset.NumberOfFrames = 60_000
    dataset.PerFrameFunctionalGroupsSequence = [deepcopy(dataset.PerFrameFunctionalGroupsSequence[0])] * 60_000
    return save([dataset], folder / "frames")


def many_slices(folder: Path) -> Path:
    """Write 3,000 slices of 36x32."""
    return save(classic("MR", np.uint16, slices=3000), folder / "slices")


def main() -> None:
    """Write each input, read it in a process of its own, and print and keep what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, nargs="?")
    output = parser.parse_args().output
    found = {}
    for make in (large_member, deflated_bomb, many_frames, many_slices):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", PROGRAM, str(make(Path(folder)))]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[make.__doc__.removeprefix("Write ").rstrip(".")] = json.loads(done.stdout)
    text = json.dumps(found, indent=1) + "\n"
    sys.stdout.write(text)
    if output:
        output.write_text(text)


if __name__ == "__main__":
    main()
