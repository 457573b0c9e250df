"""Compare models on low-resolution scans as scanners make them, on scans at their own resolution, and on a phantom.

    python benchmarks/acquisitions.py RESULT.json SCAN_OR_FOLDER... [--scale 2] [--model FAMILY_OR_MODEL_OR_RUN]...
        [--own SCAN_OR_FOLDER]... [--quick]

Prints the gain over the better of cubic and Lanczos interpolation for each case of `sr_keras.acquisition.presets`, at
three settings of the noise dial; noise in flat tissue over Lanczos', and the lattice of six slices together, of scans
upsampled as they are; and the spread and the ringing of a phantom's edges. `--quick` looks at three slices of each scan
in-plane, and at the middle 64 rows of it through-plane.

What RESULT.json holds of the same weights is not measured again, so a run that was stopped goes on, and a model that
was trained again is measured alone.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
from acquisition_methods import Method, Stack, lanczos, model
from acquisition_phantom import EDGES, edges_of, phantom

from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS, THROUGH_PLANE_CASES
from sr_keras.acquisition.simulation import acquire
from sr_keras.evaluation.appearance import lattice, noise_level
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.evaluation.metrics import psnr
from sr_keras.inference.folders import find_scans
from sr_keras.io.nifti import read_volume
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import evenly, normalization_of, tissue_mask, tissue_slices

DIAL = (1.0, 0.5, 0.0)
QUICK_SLICES, QUICK_ROWS, OWN_SLICES = 3, 64, 6
Row = dict[str, Any]


@dataclass(frozen=True)
class Scan:
    """A normalised scan: voxels and tissue (slice, row, column), its modality and its range in its own units."""

    name: str
    voxels: npt.NDArray[np.float32]
    tissue: npt.NDArray[np.bool_]
    modality: str
    data_range: float
    spacing: tuple[float, float, float]


def load(path: Path) -> Scan:
    """Return a scan with its through-plane axis first."""
    volume = read_volume(path)
    normalization, axis = normalization_of(volume), through_plane_axis(volume.spacing)
    voxels, tissue = (
        np.ascontiguousarray(np.moveaxis(each, axis, 0))
        for each in (normalization.apply(volume.voxels), tissue_mask(volume, normalization))
    )
    spacing = (volume.spacing[axis], *(each for other, each in enumerate(volume.spacing) if other != axis))
    return Scan(path.name.split(".")[0], voxels, tissue, str(volume.modality), normalization.data_range, spacing)


def mean_psnr(truth: Stack, result: Stack) -> float:
    """Return the mean PSNR over slices, dB, of normalised intensities."""
    return fmean(psnr(one, other, data_range=1.0) for one, other in zip(truth, result, strict=True))


def compared(
    scan: Scan, case: str, methods: dict[str, Method], *, scale: int, slices: int | None, in_plane: bool
) -> Row:
    """Return the gains of each method on one case of a scan: in-plane for slices, through-plane for the whole scan."""
    factors = (1, scale, scale) if in_plane else (scale, 1, 1)
    lengths = [length // factor * factor for length, factor in zip(scan.voxels.shape, factors, strict=True)]
    whole = scan.voxels[: lengths[0], : lengths[1], : lengths[2]]
    shown = tissue_slices(scan.tissue[: lengths[0]], 0)
    if in_plane:
        whole = whole[shown if slices is None else evenly(shown, slices)]
        shown = np.arange(len(whole))
    elif slices is not None:
        middle = whole.shape[1] // 2
        whole = whole[:, middle - QUICK_ROWS // 2 : middle + QUICK_ROWS // 2]
    units = {"data_range": 1.0, "hounsfield": 1.0 / scan.data_range}
    low = acquire(whole, factors, PRESETS[case], np.random.default_rng(0), **units)
    truth = whole[shown]
    best = max(mean_psnr(truth, interpolate(low, factors, name)[shown]) for name in ("cubic", "lanczos"))
    gains = {
        name: {dial: mean_psnr(truth, each[shown]) - best for dial, each in method.at_dials(low, factors, DIAL).items()}
        for name, method in methods.items()
    }
    return {"scan": scan.name, "case": case, "in_plane": in_plane, "interpolation": best, "gains": gains}


def at_its_own_resolution(scan: Scan, methods: dict[str, Method]) -> Row:
    """Return noise over Lanczos' and the lattice of each method on a scan upsampled in-plane as it is."""
    chosen = evenly(tissue_slices(scan.tissue, 0), OWN_SLICES)
    low, factors = scan.voxels[chosen], (1, 2, 2)
    tissue = scan.tissue[chosen].repeat(2, axis=1).repeat(2, axis=2)
    reference = [noise_level(image, mask) for image, mask in zip(lanczos(low, factors, 1.0), tissue, strict=True)]
    figures: Row = {}
    for name, method in {"lanczos": Method({}, lanczos, has_dial=False), **methods}.items():
        for dial, result in method.at_dials(low, factors, DIAL).items():
            noise = [noise_level(image, mask) for image, mask in zip(result, tissue, strict=True)]
            figures.setdefault(name, {})[dial] = {
                "noise_gain": fmean(one / other for one, other in zip(noise, reference, strict=True)),
                "lattice": lattice(result, tissue),
            }
    return {"scan": scan.name, "modality": scan.modality, "figures": figures}


def edges(case: str, methods: dict[str, Method], *, scale: int, in_plane: bool) -> Row:
    """Return the spread and the ringing of a phantom's edges, acquired as a case says, for each method at dial 1."""
    factors = (1, scale, scale) if in_plane else (scale, 1, 1)
    stack = phantom()
    low = acquire(stack, factors, PRESETS[case], np.random.default_rng(0), data_range=1.0, hounsfield=1 / 2500)
    figures: Row = {}
    for name, method in {"cubic": lambda *each: interpolate(each[0], each[1], "cubic"), **methods}.items():
        found = edges_of(method(low, factors, 1.0), through_plane=not in_plane)
        figures[name] = {"spread": fmean(e.spread for e in found), "ringing": max(e.ringing for e in found)}
    return {"case": case, "in_plane": in_plane, "figures": figures, "edges": EDGES}


def print_line(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def print_gains(rows: list[Row], names: list[str]) -> None:
    """Print the gains in dB: a line a case, then means and the worst of all, by task."""
    for in_plane in (True, False):
        chosen = [row for row in rows if row["in_plane"] == in_plane]
        if not chosen:
            continue
        print_line(f"\n{'In-plane' if in_plane else 'Through-plane'}: dB over the better of cubic and Lanczos\n")
        print_line(f"| scan | case | {' | '.join(f'{name}, dial {dial:g}' for name in names for dial in DIAL)} |")
        print_line("|---" * (2 + len(names) * len(DIAL)) + "|")
        columns = [[row["gains"][name][str(dial)] for row in chosen] for name in names for dial in DIAL]
        for number, row in enumerate(chosen):
            figures = " | ".join(f"{column[number]:+.2f}" for column in columns)
            print_line(f"| {row['scan']} | {row['case']} | {figures} |")
        acquired = [row["case"] != "cubic" for row in chosen]
        parts = [[g for g, a in zip(column, acquired, strict=True) if a] for column in columns]
        cubic = [[g for g, a in zip(column, acquired, strict=True) if not a] for column in columns]
        print_line(f"| | **acquired, mean** | {' | '.join(f'**{fmean(part):+.2f}**' for part in parts)} |")
        print_line(f"| | acquired, worst | {' | '.join(f'{min(part):+.2f}' for part in parts)} |")
        print_line(f"| | cubic reduction, mean | {' | '.join(f'{fmean(part):+.2f}' for part in cubic)} |")


def print_own(rows: list[Row]) -> None:
    """Print noise gain and lattice of scans at their own resolution."""
    if not rows:
        return
    names = list(rows[0]["figures"])
    heads = [f"{name}{'' if name == 'lanczos' else f', dial {dial:g}'}" for name in names for dial in _dial(name)]
    print_line("\nScans at their own resolution, x2 in-plane: noise over Lanczos' / lattice\n")
    print_line(f"| scan | {' | '.join(heads)} |\n{'|---' * (1 + len(heads))}|")
    for row in rows:
        figures = [row["figures"][name][str(dial)] for name in names for dial in _dial(name)]
        cells = [f"{each['noise_gain']:.2f} / {each['lattice']:.3f}" for each in figures]
        print_line(f"| {row['scan']} | {' | '.join(cells)} |")


def print_edges(rows: list[Row]) -> None:
    """Print the edges of the phantom."""
    if not rows:
        return
    names = list(rows[0]["figures"])
    print_line("\nA phantom's edges: mm from 10 to 90 % / ringing in % of the edge\n")
    print_line(f"| case | {' | '.join(names)} |\n{'|---' * (1 + len(names))}|")
    for row in rows:
        cells = [f"{row['figures'][name]['spread']:.2f} / {row['figures'][name]['ringing']:.1f}" for name in names]
        print_line(f"| {row['case']}, {'in-plane' if row['in_plane'] else 'through-plane'} | {' | '.join(cells)} |")


def _dial(name: str) -> tuple[float, ...]:
    return DIAL[:1] if name == "lanczos" else DIAL


@dataclass(frozen=True)
class Results:
    """What was measured, kept in a file after each row.

    Attributes:
        path: of the file.
        methods: to measure.
        rows: of each part, by what they are known by.
    """

    path: Path
    methods: dict[str, Method]
    rows: dict[str, dict[str, Row]]

    def add(self, part: str, key: str, stage: str, measure: Callable[[dict[str, Method]], Row]) -> Row:
        """Return a row; methods whose weights it was not measured with are measured.

        Args:
            part: that it belongs to.
            key: what it is known by in there.
            stage: that it is about.
            measure: returns the row of some methods.
        """
        old, weights = self.rows[part].get(key), {name: each.weights[stage] for name, each in self.methods.items()}
        known = old["weights"] if old else {}
        missing = {name: each for name, each in self.methods.items() if known.get(name) != weights[name]}
        if missing:
            row = measure(missing)
            figures = "gains" if "gains" in row else "figures"
            row[figures] = {**(old[figures] if old else {}), **row[figures]}
            self.rows[part][key] = {**row, "weights": {**known, **weights}}
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
        return self.rows[part][key]


def main() -> None:
    """Measure, keep the figures, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--model", action="append", default=[], help="a family, a shipped model or a training run")
    parser.add_argument("--own", action="append", default=[], type=Path, help="scans to upsample as they are")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    methods, scale = {Path(name).name: model(name, arguments.scale) for name in arguments.model}, arguments.scale
    old = json.loads(arguments.result.read_text()) if arguments.result.exists() else {}
    results = Results(arguments.result, methods, {part: old.get(part, {}) for part in ("gains", "own", "edges")})
    slices = QUICK_SLICES if arguments.quick else None
    # What all models have.
    shared = set.intersection(*(set(method.weights) for method in methods.values()))
    tables = {
        stage: cases for stage, cases in {"hw": IN_PLANE_CASES, "d": THROUGH_PLANE_CASES}.items() if stage in shared
    }
    gains, own, phantoms = [], [], []
    for path in find_scans(arguments.scans):
        scan = load(path)
        for stage, cases in tables.items():
            for case in cases[scan.modality]:
                measure = partial(compared, scan, case, scale=scale, slices=slices, in_plane=stage == "hw")
                gains.append(results.add("gains", f"{scan.name} {case} {stage}", stage, measure))
    if "hw" in shared and scale == 2:
        own = [
            results.add("own", path.name.split(".")[0], "hw", partial(at_its_own_resolution, load(path)))
            for path in find_scans([*arguments.scans, *arguments.own])
        ]
    for stage, cases in tables.items():
        for case in dict.fromkeys(case for each in cases.values() for case in each):
            measure = partial(edges, case, scale=scale, in_plane=stage == "hw")
            phantoms.append(results.add("edges", f"{case} {stage}", stage, measure))
    print_gains(gains, list(methods))
    print_own(own)
    print_edges(phantoms)


if __name__ == "__main__":
    main()
