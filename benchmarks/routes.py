"""Measure the ways to the same factor: depth first or last, and x4 at once or x2 twice.

    python benchmarks/routes.py SCAN_OR_FOLDER...

With the stages of every family that ships; prints the PSNR in dB over slices and the seconds of each way.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_keras.engines import load_engine
from sr_keras.evaluation.protocol import Task, compare_methods, score, task_factors
from sr_keras.inference.folders import find_scans
from sr_keras.inference.planning import Factors
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume
from sr_keras.models.registry import by_family
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.volume import Volume


@dataclass
class Route:
    """Goes one way: some axes and factors after others.

    Attributes:
        stages: names of the stages it may use.
        parts: tasks in their order, each with its factor.
        seconds: that the last scan took.
    """

    stages: Sequence[str]
    parts: Sequence[tuple[Task, int]]
    seconds: float = 0.0

    def upscale(self, volume: Volume, _: Factors, *, slice_axis: int, **options: Any) -> Volume:
        """Return the upsampled volume, as `Upscaler.upscale` does."""
        start = time.perf_counter()
        upscaler = Upscaler([load_engine(name) for name in self.stages])
        for task, factor in self.parts:
            volume = upscaler.upscale(volume, task_factors(task, factor, slice_axis), slice_axis=slice_axis, **options)
        self.seconds = time.perf_counter() - start
        return volume


def routes_of(family: str, names: Sequence[str]) -> list[tuple[Task, int, dict[str, Route]]]:
    """Return what is to be restored, by what factor, and the ways there with a family's stages."""
    small = [name for name in names if name.endswith("_x2")]
    found: list[tuple[Task, int, dict[str, Route]]] = []
    if len(small) == 2:
        depth_last: list[tuple[Task, int]] = [("in-plane", 2), ("through-plane", 2)]
        ways = {f"{family}, depth first": depth_last[::-1], f"{family}, depth last": depth_last}
        found.append(("3-D", 2, {title: Route(small, parts) for title, parts in ways.items()}))
    for task, stage in (("in-plane", "hw"), ("through-plane", "d")):
        direct, twice = ([name for name in names if name == f"{family}_{stage}_x{scale}"] for scale in (4, 2))
        if direct and twice:
            at_once, in_two = Route(direct, [(task, 4)]), Route(twice, [(task, 2), (task, 2)])
            found.append((task, 4, {f"{family}, x4 at once": at_once, f"{family}, x2 twice": in_two}))
    return found


sys.stdout.write("| scan | task | way | PSNR dB | s |\n|---|---|---|---|---|\n")
families = by_family(shipped_stages())
for scan in find_scans(Path(name) for name in sys.argv[1:]):
    for family, stages in families.items():
        for task, scale, ways in routes_of(family, list(stages)):
            volume = read_volume(scan)
            for row in score(compare_methods(volume, task, scale, ways)):  # type: ignore[arg-type]
                if row.method in ways:
                    cells = (scan.name.split(".")[0], f"{task} x{scale}", row.method, f"{row.quality.slice_psnr:.2f}")
                    sys.stdout.write(f"| {' | '.join(cells)} | {ways[row.method].seconds:.1f} |\n")
                    sys.stdout.flush()
