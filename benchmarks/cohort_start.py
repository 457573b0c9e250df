"""How long a cohort takes to begin: scans found in a BIDS tree of empty files, and the memory that takes.

python benchmarks/cohort_start.py --subjects 40000 -o benchmarks/results/cohort_start.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
import json, sys, time
from pathlib import Path
start = time.perf_counter()
from sr_keras.cohort.bids_finding import Selection, find_scans
from sr_keras.cohort.parts import parse_part
from sr_keras.cohort.usage import peak_bytes
loaded, before = time.perf_counter() - start, peak_bytes()
start, cpu = time.perf_counter(), time.process_time()
scans = find_scans(Path(sys.argv[1]), Path("out"), Selection(part=parse_part(sys.argv[2])), "x2")
print(json.dumps({"part": sys.argv[2], "scans": len(scans), "import_seconds": loaded,
    "find_seconds": time.perf_counter() - start, "find_processor_seconds": time.process_time() - cpu,
    "memory_bytes": peak_bytes() - before, "peak_bytes": peak_bytes()}))
"""


def main() -> None:
    """Make the tree, find its scans twice in processes of their own, and the scans of a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=40_000)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "dataset_description.json").write_text("{}")
        for number in range(arguments.subjects):
            anat = root / f"sub-{number:06d}" / "ses-1" / "anat"
            anat.mkdir(parents=True)
            for suffix in ("T1w.nii.gz", "T1w.json", "FLAIR.nii.gz", "FLAIR.json"):
                (anat / f"sub-{number:06d}_ses-1_{suffix}").touch()
        found = [json.loads(ran(root, part)) for part in ("1/1", "1/1", "7/1000")]
    text = json.dumps({"subjects": arguments.subjects, "runs": found}, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.output:
        arguments.output.write_text(text)


def ran(root: Path, part: str) -> str:
    """Return what the program prints."""
    command = [sys.executable, "-c", PROGRAM, str(root), part]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
