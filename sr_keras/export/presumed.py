"""What conditional stages are told where an acquisition is presumed: reference slices acquired like that, measured."""

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.description import Acquisition
from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.acquisition.presets import acquisition_named
from sr_keras.acquisition.simulation import acquire
from sr_keras.errors import ConfigurationError
from sr_keras.export.reference_slices import shipped_reference_slices
from sr_keras.inference.conditions import Conditions
from sr_keras.models.stages import TrainedStage
from sr_keras.networks import STAGES, StageName, upsampled_axes
from sr_keras.networks.folding import KEPT_NOISE

# Factor by which the reference slices are reduced.
FACTOR = 2
# One HU in normalised intensities of a CT of a common range.
HOUNSFIELD = 1.0 / 2500.0


def conditions_of(noise: float, acquisition: str = "auto") -> Conditions:
    """Return what is asked of conditional stages.

    Args:
        noise: how much of it is kept, from 0 to 1.
        acquisition: "auto" measures each scan; else the name of a preset, or the path of a YAML file.

    Raises:
        ConfigurationError: there is no such preset or file, or it is wrong.
    """
    if acquisition == "auto":
        return Conditions(noise)
    return Conditions(noise, acquisition, presumed_fingerprints(acquisition_named(acquisition)))


def stage_for(stage: TrainedStage, noise: float, acquisition: str = "auto") -> TrainedStage:
    """Return a stage as it is exported: a conditional one folded for scans of an acquisition.

    Args:
        stage: any.
        noise: how much of it is kept, from 0 to 1.
        acquisition: "auto" takes the middle of the training mixture; else as in `conditions_of`.

    Raises:
        ConfigurationError: as `conditions_of`, or something is asked of a stage that is not conditional.
    """
    if not stage.conditional:
        if acquisition != "auto" or noise != KEPT_NOISE:
            raise ConfigurationError(
                f"{stage.name} is the same for every scan; leave --acquisition and --noise out, or name a stage of "
                "fast or best."
            )
        return stage
    conditions = conditions_of(noise, acquisition)
    fingerprints = conditions.fingerprints or {stage.card.stage: stage.card.description[:-1]}
    return stage.for_scan([*fingerprints[stage.card.stage], noise])


def presumed_fingerprints(acquisition: Acquisition) -> dict[StageName, npt.NDArray[np.float32]]:
    """Return the fingerprint that each stage finds in the shipped reference slices, acquired in a way.

    Args:
        acquisition: the scanner.
    """
    slices = shipped_reference_slices().calibration
    return {stage: _fingerprint(slices, stage, acquisition) for stage in STAGES}


def _fingerprint(
    slices: npt.NDArray[np.float32], stage: StageName, acquisition: Acquisition
) -> npt.NDArray[np.float32]:
    factors = (1, FACTOR, FACTOR) if stage == "hw" else (FACTOR, 1, 1)
    # The rows of the slices stand for the depth: (depth, slice, in-plane).
    stack = slices if stage == "hw" else slices.swapaxes(0, 1)
    stack = stack[tuple(slice(length // factor * factor) for length, factor in zip(stack.shape, factors, strict=True))]
    generator = np.random.default_rng(0)
    low = acquire(np.ascontiguousarray(stack), factors, acquisition, generator, data_range=1.0, hounsfield=HOUNSFIELD)
    return fingerprint(low if stage == "hw" else low.transpose(1, 2, 0), upsampled_axes(stage))
