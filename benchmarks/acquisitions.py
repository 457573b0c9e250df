"""Compare models on low-resolution scans as scanners make them, on scans at their own resolution, and on a phantom.

    python benchmarks/acquisitions.py RESULT.json SCAN_OR_FOLDER... [--scale 2] [--model FAMILY_OR_MODEL_OR_RUN]...
        [--own SCAN_OR_FOLDER]... [--quick]

Prints the gain over the better of cubic and Lanczos interpolation for each case of `sr_keras.acquisition.presets`, at
three settings of the noise dial; noise in flat tissue over Lanczos', and the lattice of six slices together, of scans
upsampled as they are;
and the spread and the ringing of a phantom's edges. `--quick` looks at three slices of each scan in-plane,
and at the middle 64 rows of it through-plane.
"""

import argparse
import json
import sys
from dataclasses import dataclass
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
from sr_keras.volumes.normalization import normalization_of, tissue_mask, tissue_slices

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


def evenly(indices: npt.NDArray[np.intp], count: int | None) -> npt.NDArray[np.intp]:
    """Return `count` of some indices, evenly; None returns all."""
    if count is None or count >= indices.size:
        return indices
    return indices[(2 * np.arange(count) + 1) * indices.size // (2 * count)]


def mean_psnr(truth: Stack, result: Stack) -> float:
    """Return the mean PSNR over slices, dB, of normalised intensities."""
    return fmean(psnr(one, other, data_range=1.0) for one, other in zip(truth, result, strict=True))


def compared(
    scan: Scan, case: str, methods: dict[str, Method], scale: int, slices: int | None, *, in_plane: bool
) -> Row:
    """Return the gains of each method on one case of a scan: in-plane for slices, through-plane for the whole scan."""
    factors = (1, scale, scale) if in_plane else (scale, 1, 1)
    lengths = [length // factor * factor for length, factor in zip(scan.voxels.shape, factors, strict=True)]
    whole = scan.voxels[: lengths[0], : lengths[1], : lengths[2]]
    shown = tissue_slices(scan.tissue[: lengths[0]], 0)
    if in_plane:
        whole = whole[evenly(shown, slices)]
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
    for name, method in {"lanczos": Method(frozenset(), lanczos, has_dial=False), **methods}.items():
        for dial, result in method.at_dials(low, factors, DIAL).items():
            noise = [noise_level(image, mask) for image, mask in zip(result, tissue, strict=True)]
            figures.setdefault(name, {})[dial] = {
                "noise_gain": fmean(one / other for one, other in zip(noise, reference, strict=True)),
                "lattice": lattice(result, tissue),
            }
    return {"scan": scan.name, "modality": scan.modality, "figures": figures}


def edges(case: str, methods: dict[str, Method], scale: int) -> Row:
    """Return the spread and the ringing of a phantom's edges, acquired as a case says, for each method at dial 1."""
    in_plane = all("hw" in method.stages for method in methods.values()) and any(
        case in cases for cases in IN_PLANE_CASES.values()
    )
    factors = (1, scale, scale) if in_plane else (scale, 1, 1)
    stack = phantom()
    low = acquire(stack, factors, PRESETS[case], np.random.default_rng(0), data_range=1.0, hounsfield=1 / 2500)
    figures: Row = {}
    for name, method in {"cubic": lambda *each: interpolate(each[0], each[1], "cubic"), **methods}.items():
        found = edges_of(method(low, factors, 1.0), through_plane=not in_plane)
        figures[name] = {"spread": fmean(e.spread for e in found), "ringing": max(e.ringing for e in found)}
    return {"case": case, "figures": figures, "edges": EDGES}


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
        print_line(f"| {row['case']} | {' | '.join(cells)} |")


def _dial(name: str) -> tuple[float, ...]:
    return DIAL[:1] if name == "lanczos" else DIAL


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
    methods = {Path(name).name: model(name, arguments.scale) for name in arguments.model}
    slices = QUICK_SLICES if arguments.quick else None
    # What all models have.
    stages = frozenset.intersection(*(method.stages for method in methods.values()))
    rows, own = [], []
    for path in find_scans(arguments.scans):
        scan = load(path)
        for stage, cases in (("hw", IN_PLANE_CASES), ("d", THROUGH_PLANE_CASES)):
            chosen = cases[scan.modality] if stage in stages else ()
            rows += [compared(scan, case, methods, arguments.scale, slices, in_plane=stage == "hw") for case in chosen]
    if "hw" in stages and arguments.scale == 2:
        own = [at_its_own_resolution(load(path), methods) for path in find_scans([*arguments.scans, *arguments.own])]
    tables = {"hw": IN_PLANE_CASES, "d": THROUGH_PLANE_CASES}
    cases = dict.fromkeys(case for stage in stages for cases in tables[stage].values() for case in cases)
    phantoms = [edges(case, methods, arguments.scale) for case in cases]
    arguments.result.write_text(json.dumps({"gains": rows, "own": own, "edges": phantoms}, indent=1) + "\n")
    print_gains(rows, list(methods))
    print_own(own)
    print_edges(phantoms)


if __name__ == "__main__":
    main()
