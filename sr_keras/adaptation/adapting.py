"""Adapt a d stage to scans: pairs of their own slices, training, and a judgement on slices that were held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.acquisition.profiles import PROFILES
from sr_keras.adaptation.fitting import fit
from sr_keras.adaptation.judging import Verdict, judge
from sr_keras.adaptation.sampling import are_coarse, as_presumed, divided
from sr_keras.adaptation.slices import LEAST_SLICES, MOST_PIXELS, MOST_SLICES, ScanSlices, take_slices
from sr_keras.adaptation.stage import adapted_stage
from sr_keras.adaptation.start import start_of
from sr_keras.adaptation.thickness import SliceProfile, slice_profile
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.framework import load_keras
from sr_keras.inference.budget import budget_of
from sr_keras.inference.provenance import scan_sha256
from sr_keras.models.own import ModelStage
from sr_keras.models.stages import Stage
from sr_keras.networks.folding import KEPT_NOISE
from sr_keras.progress import ProgressCallback
from sr_keras.resources import format_bytes
from sr_keras.volumes.volume import Volume

STEPS = 200
# What a step takes in memory beside Keras, and the pairs for each pixel of the slices that are taken, in bytes.
STEP_BYTES, PIXEL_BYTES = 300_000_000, 64


@dataclass(frozen=True)
class Settings:
    """How to adapt.

    Attributes:
        steps: of training.
        thickness: of the slices in mm; None takes what the scan says, or estimates it.
        profile: a name of `sr_keras.acquisition.profiles.PROFILES`; None takes the one that is usual for the modality.
        seed: of the patches and of the noise that is drawn.
        noise_kept: how much of the scan's noise the stage keeps, 0 to 1.

    Raises:
        ConfigurationError: the steps are none.
    """

    steps: int = STEPS
    thickness: float | None = None
    profile: str | None = None
    seed: int = 0
    noise_kept: float = KEPT_NOISE

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.steps < 1:
            raise ConfigurationError(f"There must be at least one step to adapt, not {self.steps}.")
        if self.profile not in (None, *PROFILES):
            raise ConfigurationError(f"The profile must be one of {', '.join(PROFILES)}, not {self.profile}.")


@dataclass(frozen=True)
class Outcome:
    """What came out of an adaptation.

    Attributes:
        stage: adapted; None where it did not gain.
        gain: on held-out slices, in dB.
        record: what was done, as JSON can hold it.
    """

    stage: ModelStage | None
    gain: float
    record: dict[str, Any]

    @property
    def line(self) -> str:
        """What a user should know, one sentence without its point."""
        profiles = "; ".join(
            f"slices {each['slice_thickness_mm']:g} mm thick every {each['spacing_mm']:g} mm, {each['thickness_from']}"
            for each in self.record["scans"].values()
        )
        gained = f"{self.gain:+.2f} dB on slices held out ({profiles})"
        return f"adapted: {gained}" if self.stage else f"Not adapted, the stage runs as it ships: {gained}"


def adapt(
    stage: Stage,
    scans: Sequence[tuple[Volume, int]],
    scale: int,
    settings: Settings | None = None,
    *,
    memory: int | None = None,
    progress: ProgressCallback | None = None,
) -> Outcome:
    """Train a d stage further on pairs made of scans' own in-plane slices.

    Args:
        stage: a d stage of a chain of convolutions, of any scale.
        scans: of one protocol, each with its through-plane axis.
        scale: of the stage to make.
        settings: how; None takes the defaults.
        memory: bytes that this process may take in all; None takes most of what is free now.
        progress: called with the progress.

    Raises:
        VolumeError: a scan has nothing to learn from, or there is too little memory.
        StageError: the stage is no chain of convolutions.
        MissingDependencyError: Keras or its backend is not installed.
    """
    settings = settings or Settings()
    load_keras()
    _check_memory(memory, [volume for volume, _ in scans])
    report = progress or _silent
    report("adapting", 0, settings.steps)
    taken = [take_slices(volume, axis, scale, max(1, MOST_SLICES // len(scans))) for volume, axis in scans]
    profiles = [slice_profile(each, settings.thickness, settings.profile) for each in taken]
    start = start_of(stage, scale)
    if stage.card.description:
        profiles = [
            as_presumed(scan, profile, start, settings.noise_kept, settings.seed)
            for scan, profile in zip(taken, profiles, strict=True)
        ]
    generator = np.random.default_rng([settings.seed, 1])
    learned, held_out = divided(taken, profiles, start, settings.noise_kept, generator)
    fitted = fit(start, learned, settings.steps, settings.seed, lambda done: report("adapting", done, settings.steps))
    verdict, chosen = judge(start, fitted, held_out, settings.seed, coarse=are_coarse(taken, scale))
    record = _record(stage, taken, profiles, settings, verdict)
    if not verdict.accepted:
        return Outcome(None, verdict.gain, record)
    digests = {each["name"]: each["sha256"] for each in record["scans"].values() if each["sha256"]}
    return Outcome(adapted_stage(stage, chosen, taken[0].modality, digests, record), verdict.gain, record)


def _record(
    stage: Stage,
    scans: Sequence[ScanSlices],
    profiles: Sequence[SliceProfile],
    settings: Settings,
    verdict: Verdict,
) -> dict[str, Any]:
    return {
        "stage": stage.card.name,
        "weights_sha256": stage.card.weights_sha256,
        **({"told": [round(each, 4) for each in stage.card.description]} if stage.card.description else {}),
        "scans": {
            str(number): {
                "name": Path(scan.volume.source).name,
                "sha256": _digest(scan.volume),
                "spacing_mm": round(scan.spacing[2], 4),
                "slice_thickness_mm": round(profile.thickness * scan.spacing[2], 3),
                "thickness_from": profile.source,
                "profile": profile.profile,
                "noise": round(scan.noise.deviation, 5),
                "slices": len(scan.slices),
            }
            for number, (scan, profile) in enumerate(zip(scans, profiles, strict=True), 1)
        },
        "steps": settings.steps,
        "seed": settings.seed,
        "noise_kept": settings.noise_kept,
        "share": verdict.share,
        "gain_db": round(verdict.gain, 3),
    }


def _digest(volume: Volume) -> str:
    """Return the SHA-256 of the file or folder of a scan; nothing for one that was made in memory."""
    path = Path(volume.source)
    return scan_sha256(path) if path.exists() else ""


def _check_memory(memory: int | None, volumes: Sequence[Volume]) -> None:
    budget = budget_of(memory, disk=False)
    # As if the shortest axis were the through-plane one: no other choice takes more.
    count = max(LEAST_SLICES, MOST_SLICES // len(volumes))
    pixels = sum(min(MOST_PIXELS, count * prod(sorted(volume.shape)[1:])) for volume in volumes)
    needed = budget.resident + STEP_BYTES + PIXEL_BYTES * pixels
    if needed > budget.memory:
        raise VolumeError(
            f"To adapt takes {format_bytes(needed)} of memory, {format_bytes(budget.memory)} may be "
            "used; allow more with --memory, or super-resolve without adapting."
        )


def _silent(*_: object) -> None:
    """Report nothing."""
