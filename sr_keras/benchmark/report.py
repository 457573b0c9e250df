"""What a benchmark's samples say: percentiles, rates, shares of the machine's limit, and whether to believe them."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from sr_keras.errors import ConfigurationError
from sr_keras.files import atomic_write
from sr_keras.framework import load_module
from sr_keras.resources import format_bytes

# Medians of repeats that differ by more than this fraction come from a machine that does other things as well.
NOISE = 0.05
# A GPU whose clock fell by more than this fraction during the run was throttled.
CLOCK_DROP = 0.05
WIDTH = 150


def summarise(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row of figures for each measurement that was made.

    Each row has label, batch, samples, p50_s, p90_s, p99_s, slices_per_s, megavoxels_per_s, limit_fraction (of the
    machine's matrix product rate; None where the arithmetic is not known), ratio (p50 of the first engine at this batch
    over this one's), spread (of the medians of the repeats), load_s, first_s and peak_bytes.
    """
    rate = median(report["matrix_macs_per_s"])
    rows: list[dict[str, Any]] = []
    for measured in report["measurements"]:
        if measured["skipped"]:
            continue
        medians = [median(repeat) for repeat in measured["samples_s"]]
        p50, p90, p99 = np.percentile(np.concatenate(measured["samples_s"]), [50, 90, 99]).tolist()
        baseline = next((row["p50_s"] for row in rows if row["batch"] == measured["batch"]), p50)
        adds = measured["macs"]
        rows.append(
            {key: measured[key] for key in ("label", "runtime", "batch", "load_s", "first_s", "peak_bytes")}
            | {
                "samples": sum(map(len, measured["samples_s"])),
                "p50_s": p50,
                "p90_s": p90,
                "p99_s": p99,
                "slices_per_s": measured["slices"] / p50,
                "megavoxels_per_s": measured["megapixels"] / p50,
                "limit_fraction": adds / p50 / rate if adds else None,
                "ratio": baseline / p50,
                "spread": (max(medians) - min(medians)) / median(medians),
            }
        )
    return rows


def warnings_of(report: dict[str, Any]) -> list[str]:
    """Return what a reader must know before believing the figures, a sentence each."""
    rates, rows = report["matrix_macs_per_s"], summarise(report)
    drift = (max(rates) - min(rates)) / median(rates)
    sentences = [f"{m['label']} at batch {m['batch']} was not measured: {m['skipped']}." for m in _skipped(report)]
    if drift > NOISE:
        sentences.append(f"The machine drifts: its matrix product rate differed by {drift:.0%} between repeats.")
    noisy = [f"{row['label']} at batch {row['batch']} by {row['spread']:.0%}" for row in rows if row["spread"] > NOISE]
    if noisy:
        sentences.append(f"The machine is too noisy for figures within 5 %: medians differed for {', '.join(noisy)}.")
    for before, after in zip(report["gpu_before"], report["gpu_after"], strict=False):
        if float(after["clocks.sm"]) < float(before["clocks.sm"]) * (1 - CLOCK_DROP):
            sentences.append(f"{before['name']} fell from {before['clocks.sm']} to {after['clocks.sm']} MHz.")
    return sentences


def print_report(report: dict[str, Any]) -> None:
    """Print a table of all measurements, what they ran on, and what to beware of."""
    headings = ("engine", "batch", "p50 ms", "p90 ms", "p99 ms", "samples", "slices/s", "Mvoxel/s", "of limit")
    table = Table(*headings, "ratio", "load s", "first s", "memory", box=MARKDOWN)
    for row in summarise(report):
        times = [f"{1e3 * row[key]:.1f}" for key in ("p50_s", "p90_s", "p99_s")]
        share = "-" if row["limit_fraction"] is None else f"{row['limit_fraction']:.0%}"
        rates = [f"{row['slices_per_s']:.1f}", f"{row['megavoxels_per_s']:.2f}", share, f"{row['ratio']:.2f}"]
        starts = [f"{row['load_s']:.2f}", f"{row['first_s']:.2f}", format_bytes(row["peak_bytes"])]
        table.add_row(row["label"], str(row["batch"]), *times, str(row["samples"]), *rates, *starts)
    console = Console(width=WIDTH, highlight=False)
    settings, machine = report["settings"], report["machine"]
    console.print(
        f"Scenario {settings['scenario']}, low-resolution slices of {settings['height']}x{settings['width']}:"
    )
    console.print(table)
    rate = median(report["matrix_macs_per_s"])
    gpus = ", ".join(gpu["name"] for gpu in machine["gpus"]) or "no GPU"
    console.print(
        f"{machine['processor']}, {settings['threads'] or machine['cores']} cores, {gpus}; the limit is a float32 "
        f"matrix product at {rate / 1e9:.0f} G MAC/s, measured in the same run."
    )
    for measured in report["measurements"]:
        if measured["parts_s"]:
            parts = {
                key: median(part[key] for part in measured["parts_s"]) for key in ("read_s", "compute_s", "write_s")
            }
            console.print(
                f"{measured['label']}, a volume of {measured['slices']} slices: reading {parts['read_s']:.2f} s, "
                f"computing {parts['compute_s']:.2f} s, writing {parts['write_s']:.2f} s"
            )
    for sentence in warnings_of(report):
        console.print(f"Beware: {sentence}")


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write a benchmark's report as JSON.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report that `write_report` wrote.

    Raises:
        ConfigurationError: it is no such file.
    """
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        if report["format"] != schema()["properties"]["format"]["const"]:
            raise KeyError(report["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"A benchmark's report must be JSON that sr-keras benchmark wrote. Received: {path}: {error!r}. "
            "Run it again."
        ) from error
    return report


def schema() -> dict[str, Any]:
    """Return the JSON schema of a report."""
    content: dict[str, Any] = json.loads((files("sr_keras.benchmark") / "benchmark.schema.json").read_text())
    return content


def draw_report(report: dict[str, Any], path: Path) -> None:
    """Draw the median time a slice of each engine at each batch size, with a line up to the 99th percentile.

    Raises:
        OutputError: the file cannot be written.
        MissingDependencyError: matplotlib is not installed.
    """
    figures = load_module("matplotlib.figure", "sr_keras[evaluate]")
    rows = summarise(report)
    figure = figures.Figure(figsize=(7, 0.6 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    times = [1e3 / row["slices_per_s"] for row in rows]
    tails = [time * (row["p99_s"] / row["p50_s"] - 1) for time, row in zip(times, rows, strict=True)]
    axes.barh(places, times, xerr=[np.zeros(len(rows)), tails], color="#4c78a8", ecolor="#333333")
    axes.set_yticks(places, [f"{row['label']}, batch {row['batch']}" for row in rows])
    axes.set_xlabel("milliseconds a slice: median, and up to the 99th percentile")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _skipped(report: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [measured for measured in report["measurements"] if measured["skipped"]]
