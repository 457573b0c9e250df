"""Fuzzes one reader for a number of cases in a process of its own, and prints a line of JSON about it.

With Atheris, which looks for inputs that reach new code, where it is installed; else with seeded changes of the seeds.

    python tests/fuzz/campaign.py nifti --cases 26000 --findings build/fuzz
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
# Reading a few kilobytes takes no longer, in seconds of CPU, since machines are busy, and no more memory, in bytes.
LONGEST = 20
LARGEST = 2 << 30
INSTRUMENTED = ("sr_keras.dicom", "sr_keras.engines", "sr_keras.io", "sr_keras.models", "sr_keras.training")


class Tally:
    """Runs cases of a reader and keeps what is learned of them.

    Args:
        read: the reader.
        findings: the folder for inputs that end in anything but a result or `SrKerasError`.
    """

    def __init__(self, read: Callable[[bytes, Path], object], findings: Path) -> None:
        from sr_keras.errors import SrKerasError

        self._read, self._findings, self._expected = read, findings, SrKerasError
        self.cases = self.works = 0
        self.slowest = 0.0
        self.tracebacks: dict[str, str] = {}

    def run(self, data: bytes, folder: Path) -> None:
        """Read bytes."""
        self.cases += 1
        self._keep("unfinished", data)
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            self._read(data, folder)
            self.works += 1
        except self._expected as error:
            if "\n" in str(error):
                self._found(error, data, "an error of several lines")
        except Exception as error:
            self._found(error, data, "")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.slowest = max(self.slowest, time.process_time() - start)

    def _found(self, error: Exception, data: bytes, what: str) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "sr_keras" in frame.filename] or list(frames)
        place = f"{type(error).__name__} {what} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
        if place not in self.tracebacks:
            self._keep(hashlib.sha256(data).hexdigest()[:12], data)
            self.tracebacks[place] = str(error)[:200]

    def _keep(self, name: str, data: bytes) -> None:
        (self._findings / name).write_bytes(data)

    def report(self, before: int) -> str:
        """Return the line of JSON; `before` is the peak memory before the first case, in bytes."""
        (self._findings / "unfinished").unlink(missing_ok=True)
        return json.dumps(
            {
                "cases": self.cases,
                "works": self.works,
                "tracebacks": self.tracebacks,
                "slowest_s": self.slowest,
                "largest_bytes": max(0, peak() - before),
            }
        )


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def fuzz_guided(tally: Tally, seeds: list[bytes], cases: int, folder: Path, finish: Callable[[], None]) -> None:
    """Fuzz with Atheris."""
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    place = folder / "case"
    place.mkdir()

    def case(data: bytes) -> None:
        tally.run(data, place)
        if tally.cases == cases:
            finish()

    longest = 2 * max(map(len, seeds)) + 256
    # The limits on time and memory are our own: a case over them is kept, and the run goes on.
    options = [f"-max_len={longest}", "-seed=1", "-timeout=0", "-rss_limit_mb=0", "-verbosity=0"]
    options.append(f"-artifact_prefix={folder}/")
    atheris.Setup(["fuzz", *options, str(corpus)], case)
    atheris.Fuzz()


def fuzz_blindly(tally: Tally, seeds: list[bytes], cases: int, folder: Path, finish: Callable[[], None]) -> None:
    """Fuzz with changes that depend on nothing but a seed."""
    from mutation import mutated

    chance = random.Random(1)
    for _ in range(cases):
        tally.run(mutated(chance.choice(seeds), chance), folder)
    finish()


def main() -> None:
    """Fuzz what the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("reader")
    parser.add_argument("--cases", type=int, required=True)
    parser.add_argument("--findings", type=Path, required=True)
    options = parser.parse_args()
    options.findings.mkdir(parents=True, exist_ok=True)
    guided = instrumented()
    from readers import READERS

    from sr_keras.errors import SrKerasError

    reader = next(each for each in READERS if each.name == options.reader)
    signal.signal(signal.SIGPROF, too_slow)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        folder, seeds = Path(name), reader.seeds()
        # Libraries that are imported by the first case take longer than a case may.
        with suppress(SrKerasError):
            reader.read(seeds[0], folder)
        for seed in seeds:
            tally = Tally(reader.read, options.findings)
            tally.run(seed, folder)
            if tally.tracebacks:
                sys.exit(f"a seed fails: {tally.tracebacks}")
        tally, before = Tally(reader.read, options.findings), peak()
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + LARGEST
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

        def finish() -> None:
            print(tally.report(before), flush=True)
            # Atheris has no other end.
            os._exit(0)

        (fuzz_guided if guided else fuzz_blindly)(tally, seeds, options.cases, folder, finish)


def too_slow(number: int, frame: object) -> None:
    """Fail a case."""
    raise TimeoutError(f"a case took more than {LONGEST} s of CPU")


def instrumented() -> bool:
    """Import what is fuzzed so that Atheris sees which code runs; return whether there is an Atheris."""
    try:
        import atheris
    except ImportError:
        return False
    with atheris.instrument_imports(include=[*INSTRUMENTED, "nibabel.nifti1", "nibabel.analyze", "pydicom.filereader"]):
        import readers  # noqa: F401
    return True


if __name__ == "__main__":
    main()
