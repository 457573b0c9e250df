"""The report of a benchmark: percentiles, rates, fractions of the machine's upper bound, and warnings."""

import json
import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from sr_keras.errors import ConfigurationError, printable
from sr_keras.files import atomic_write, read_json
from sr_keras.framework import load_module
from sr_keras.resources import format_bytes

# Medians of repeats that differ by more than this fraction show that the machine is otherwise busy.
NOISE = 0.05
# A GPU whose clock fell by more than this fraction during the run was throttled.
CLOCK_DROP = 0.05
WIDTH = 150


def summarise(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row of figures for each measurement that was not skipped.

    Each row has label, batch, samples, p50_s, p90_s, p99_s, slices_per_s, megavoxels_per_s, limit_fraction (MACs per
    second over those of the matrix product; None if the MACs are unknown), ratio (p50 of the baseline over that of this
    engine, at the same batch size), spread (relative range of the medians of the repeats), load_s, first_s and
    peak_bytes. A GPU that is only a program is not compared: its limit_fraction and ratio are None.
    """
    rate = median(report["matrix_macs_per_s"])
    rows: list[dict[str, Any]] = []
    for measured in report["measurements"]:
        if measured["skipped"]:
            continue
        medians = [median(repeat) for repeat in measured["samples_s"]]
        p50, p90, p99 = np.percentile(np.concatenate(measured["samples_s"]), [50, 90, 99]).tolist()
        baseline = next((row["p50_s"] for row in rows if row["batch"] == measured["batch"]), p50)
        macs, compared = measured["macs"], not _in_software(measured)
        rows.append(
            {key: measured[key] for key in ("label", "runtime", "batch", "load_s", "first_s", "peak_bytes")}
            | {
                "samples": sum(map(len, measured["samples_s"])),
                "p50_s": p50,
                "p90_s": p90,
                "p99_s": p99,
                "slices_per_s": measured["slices"] / p50,
                "megavoxels_per_s": measured["megapixels"] / p50,
                "limit_fraction": macs / p50 / rate if macs and compared else None,
                "ratio": baseline / p50 if compared else None,
                "spread": (max(medians) - min(medians)) / median(medians),
            }
        )
    return rows


def warnings_of(report: dict[str, Any]) -> list[str]:
    """Return warnings about the reliability of the figures, a sentence each."""
    rates, rows = report["matrix_macs_per_s"], summarise(report)
    drift = (max(rates) - min(rates)) / median(rates)
    sentences = [f"{m['label']} at batch {m['batch']} was not measured: {m['skipped']}." for m in _skipped(report)]
    software = sorted({m["runtime"] for m in report["measurements"] if _in_software(m)})
    sentences += [f"{runtime} is a program on the processor, no GPU; its times say nothing." for runtime in software]
    if drift > NOISE:
        sentences.append(f"The machine drifts: its rate of matrix products differs by {drift:.0%} between repeats.")
    noisy = [f"{row['label']} at batch {row['batch']} by {row['spread']:.0%}" for row in rows if row["spread"] > NOISE]
    if noisy:
        sentences.append(f"The machine is too noisy for figures within 5 %: medians differ for {', '.join(noisy)}.")
    for before, after in zip(report["gpu_before"], report["gpu_after"], strict=False):
        if float(after["clocks.sm"]) < float(before["clocks.sm"]) * (1 - CLOCK_DROP):
            sentences.append(f"{before['name']} fell from {before['clocks.sm']} to {after['clocks.sm']} MHz.")
    return sentences


def print_report(report: dict[str, Any]) -> None:
    """Print a table of all measurements, the machine, and warnings."""
    headings = ("engine", "batch", "p50 ms", "p90 ms", "p99 ms", "samples", "slices/s", "Mvoxel/s", "of limit")
    table = Table(*headings, "ratio", "load s", "first s", "memory", box=MARKDOWN)
    for row in summarise(report):
        times = [f"{1e3 * row[key]:.1f}" for key in ("p50_s", "p90_s", "p99_s")]
        share = "-" if row["limit_fraction"] is None else f"{row['limit_fraction']:.0%}"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        rates = [f"{row['slices_per_s']:.1f}", f"{row['megavoxels_per_s']:.2f}", share, ratio]
        starts = [f"{row['load_s']:.2f}", f"{row['first_s']:.2f}", format_bytes(row["peak_bytes"])]
        table.add_row(printable(row["label"]), str(row["batch"]), *times, str(row["samples"]), *rates, *starts)
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
                f"{printable(measured['label'])}, a volume of {measured['slices']} slices: reading "
                f"{parts['read_s']:.2f} s, computing {parts['compute_s']:.2f} s, writing {parts['write_s']:.2f} s"
            )
    for sentence in warnings_of(report):
        console.print(f"Warning: {printable(sentence)}")


def write_report(report: dict[str, Any], path: str | os.PathLike[str], *, force: bool = True) -> None:
    """Write a benchmark's report as JSON.

    Args:
        report: as `run_benchmark` returns it.
        path: of the file.
        force: whether a file that exists there is replaced.

    Raises:
        OutputError: the file cannot be written, or exists without `force`.
    """
    with atomic_write(Path(path), force=force) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


def read_report(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a report written by `write_report`.

    Raises:
        ConfigurationError: the file cannot be read, or is not a report.
    """
    report = read_json(Path(path), ConfigurationError)
    if not isinstance(report, dict) or report.get("format") != schema()["properties"]["format"]["const"]:
        raise ConfigurationError(f"{path} is not a report of sr-keras benchmark; run the benchmark again.")
    return report


def schema() -> dict[str, Any]:
    """Return the JSON schema of a report."""
    content: dict[str, Any] = json.loads((files("sr_keras.benchmark") / "benchmark.schema.json").read_text())
    return content


def draw_report(report: dict[str, Any], path: str | os.PathLike[str], *, force: bool = True) -> None:
    """Plot the median time per slice of each engine at each batch size, with a line up to the 99th percentile.

    Args:
        report: as `run_benchmark` returns it.
        path: of the image.
        force: whether a file that exists there is replaced.

    Raises:
        OutputError: the file cannot be written, or exists without `force`.
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
    axes.set_xlabel("milliseconds per slice: median, and up to the 99th percentile")
    with atomic_write(Path(path), force=force) as temporary:
        figure.savefig(temporary, dpi=120)


def _in_software(measured: dict[str, Any]) -> bool:
    """Return whether the runtime names a GPU that is only a program, as engines and the web page call it."""
    return re.search(r"\bsoftware\b", measured["runtime"]) is not None


def _skipped(report: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [measured for measured in report["measurements"] if measured["skipped"]]
