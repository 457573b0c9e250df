"""What a cohort will take, on however many workers: from headers, and a few scans that are planned in full."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from nibabel.affines import voxel_sizes

from sr_keras.cohort.attempts import job_for, source_of, without_path
from sr_keras.cohort.items import Geometry, Scan
from sr_keras.errors import SrKerasError
from sr_keras.inference.jobs import PredictionJob
from sr_keras.io.nifti import read_grid
from sr_keras.volumes.geometry import format_spacing
from sr_keras.volumes.volume import format_shape

# Geometries that are planned in full, by reading a scan; the others are reckoned from the nearest of them.
PLANNED = 12
# Decimals of a spacing in mm that tell geometries apart.
DECIMALS = 3
# Seconds before the first scan begins, and of the client for each scan: the processor time that
# benchmarks/cohort_overhead.py measures, which is what they take where a core is free for them.
START, OVERHEAD = 2.0, 0.006


@dataclass(frozen=True)
class Estimate:
    """What one scan takes.

    Attributes:
        voxels: of the scan.
        result_voxels: of its result.
        seconds: on one worker.
        memory: bytes at the peak.
        result_bytes: before compression.
        temporary_bytes: on disk while it runs.
    """

    voxels: int
    result_voxels: int
    seconds: float
    memory: int
    result_bytes: int
    temporary_bytes: int

    def scaled(self, voxels: int) -> "Estimate":
        """Return the estimate of a scan with other voxels."""
        ratio = voxels / self.voxels
        results = (self.result_voxels, self.seconds, self.memory, self.result_bytes, self.temporary_bytes)
        result_voxels, seconds, memory, result, temporary = (each * ratio for each in results)
        return Estimate(voxels, int(result_voxels), seconds, int(memory), int(result), int(temporary))


@dataclass(frozen=True)
class CohortPlan:
    """What a cohort takes.

    Attributes:
        estimates: of the scans that will be done.
        geometries: how many of those scans each has, the most frequent first, in words.
        planned: geometries that were planned in full.
        refused: reasons by name of the scans that cannot be done.
    """

    estimates: Sequence[Estimate]
    geometries: Mapping[str, int]
    planned: int
    refused: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Of all scans, one after the other on one worker."""
        return sum(each.seconds for each in self.estimates)

    @property
    def memory(self) -> int:
        """Bytes that each worker needs at the peak."""
        return max((each.memory for each in self.estimates), default=0)


def plan_cohort(
    job: PredictionJob, scans: Iterable[Scan], progress: Callable[[str, float, float], None] | None = None
) -> CohortPlan:
    """Return what scans will take. Nothing is written.

    Args:
        job: what to do with each.
        scans: all of them.
        progress: called with the scans whose headers were read, and all.
    """
    refused: dict[str, str] = {}
    alike: dict[Geometry, list[Scan]] = defaultdict(list)
    scans = list(scans)
    for number, scan in enumerate(scans, start=1):
        try:
            alike[scan.geometry or _geometry(scan)].append(scan)
        except (SrKerasError, OSError) as error:
            refused[scan.name] = without_path(scan, str(error))
        if progress:
            progress("headers", number, len(scans))
    ordered = sorted(alike.items(), key=lambda item: -len(item[1]))
    known: dict[Geometry, Estimate] = {}
    estimates: list[Estimate] = []
    counts: dict[str, int] = {}
    for geometry, same in ordered:
        if len(known) < PLANNED:
            try:
                known[geometry] = _estimate(job, same[0])
            except (SrKerasError, OSError) as error:
                refused |= dict.fromkeys((scan.name for scan in same), without_path(same[0], str(error)))
                continue
        counts[_in_words(geometry)] = len(same)
        estimates += [known.get(geometry) or _reckoned(geometry, known)] * len(same)
    return CohortPlan(estimates, counts, len(known), refused)


def makespan(seconds: Sequence[float], workers: int, *, overhead: float = OVERHEAD, start: float = START) -> float:
    """Return how long a cohort takes where each worker takes the next scan when it is free.

    Args:
        seconds: of each scan, in the order in which they begin.
        workers: that are there from the beginning, of one rate.
        overhead: seconds of the one client for each scan: it hands out one after the other.
        start: seconds before the first scan begins.
    """
    free = [start] * min(workers, len(seconds))
    client = start
    for each in seconds:
        begin = max(heapq.heappop(free), client)
        client = begin + overhead if begin > client else client + overhead
        heapq.heappush(free, max(begin, client) + each)
    return max(free, default=0.0)


def makespan_of_parts(parts: Sequence[Sequence[float]], slots: int, *, start: float = START) -> float:
    """Return how long array jobs take, each of which does its own part.

    Args:
        parts: seconds of the scans of each part.
        slots: parts that run at once.
        start: seconds that each part takes besides its scans.
    """
    return makespan([start + sum(part) for part in parts], slots, overhead=0.0, start=0.0)


def _geometry(scan: Scan) -> Geometry:
    shape, affine = read_grid(scan.path)
    i, j, k = (round(float(size), DECIMALS) for size in voxel_sizes(affine))
    return shape, (i, j, k)


def _estimate(job: PredictionJob, scan: Scan) -> Estimate:
    """Plan one scan in full: it is read, and the engines are timed on slices of its size."""
    own = job_for(job, scan)
    with source_of(scan) as source:
        prepared = own.prepare(source, scan.output)
    voxels = prod(prepared.grid.shape)
    return Estimate(
        prod(prepared.volume.shape),
        voxels,
        prepared.plan.seconds,
        prepared.plan.peak_bytes,
        voxels * prepared.stored_bytes,
        prepared.plan.disk_bytes,
    )


def _reckoned(geometry: Geometry, known: Mapping[Geometry, Estimate]) -> Estimate:
    voxels = prod(geometry[0])
    nearest = min(known.values(), key=lambda each: abs(each.voxels - voxels))
    return nearest.scaled(voxels)


def _in_words(geometry: Geometry) -> str:
    return f"{format_shape(geometry[0])} of {format_spacing(geometry[1])} mm"
