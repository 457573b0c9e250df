"""What is known about a result: for a log, and for programs that read what the command line prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_keras.inference.prepared import PreparedJob
from sr_keras.inference.provenance import models_of, runtime_of


@dataclass(frozen=True)
class Outcome:
    """What was made of a scan.

    Attributes:
        output: the file or folder.
        summary: of the result in a few words.
        warnings: about it.
        seconds: that it took.
        facts: shape, spacing, modality, models, engine, slice axis and steps, as JSON can hold them.
    """

    output: Path
    summary: str
    warnings: tuple[str, ...]
    seconds: float
    facts: Mapping[str, Any]


def log_line(job: PreparedJob) -> str:
    """Return what is done with a scan: the scan, the models, the engine, the slice axis, and the result."""
    models = ", ".join(card.name for card in job.cards) or "none"
    steps = ", ".join(step.label for step in job.steps) or "none"
    return (
        f"{job.volume.source}: {job.volume.summary}; slice axis {job.slice_axis} ({'ijk'[job.slice_axis]}); "
        f"models {models} on {runtime_of(job.engines.values())}; steps {steps}; result {job.summary}"
    )


def facts_of(job: PreparedJob) -> dict[str, Any]:
    """Return what a result is and what made it, as JSON can hold it."""
    return {
        "shape": [*job.grid.shape, *([job.count] if job.count > 1 else [])],
        "spacing_mm": [round(size, 6) for size in job.grid.spacing],
        "modality": job.volume.modality,
        "models": models_of(job.cards),
        "engine": runtime_of(job.engines.values()),
        "slice_axis": job.slice_axis,
        "steps": [step.label for step in job.steps],
    }


def planned_of(job: PreparedJob) -> dict[str, Any]:
    """Return what a result will be and take, as JSON can hold it."""
    return facts_of(job) | {
        "summary": job.summary,
        "seconds": round(job.count * job.plan.total_seconds, 1),
        "memory_bytes": job.plan.peak_bytes,
        "disk_bytes": job.plan.disk_bytes,
    }
