"""Training batches for a `fit` of one's own: the pipeline of `sr-keras train`, from scans to pairs of images."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sr_keras.errors import ConfigurationError
from sr_keras.networks import FAMILIES, StageName
from sr_keras.training import dataset
from sr_keras.training.configuration import (
    Configuration,
    NetworkConfiguration,
    PatchConfiguration,
    TrainingConfiguration,
)
from sr_keras.training.patches import Scan, check_patches, read_training_scan
from sr_keras.volumes.geometry import through_plane_axis
from sr_keras.volumes.normalization import normalization_of, tissue_mask, tissue_slices
from sr_keras.volumes.volume import Volume


def training_batches(
    scans: Sequence[str | os.PathLike[str] | Volume],
    stage: StageName = "hw",
    scale: int = 2,
    *,
    patch: int = 48,
    batch: int = 16,
    seed: int = 0,
) -> Any:
    """Return pairs of low-resolution and high-resolution patches, without end, for `keras.Model.fit`.

    Patches are drawn where there is tissue, flipped and transposed, blurred by random widths and downsampled by
    antialiased cubic interpolation, as the published networks were trained.

    Args:
        scans: NIfTI files or volumes, at least one. They are kept in memory, at three bytes a voxel.
        stage: "hw" downsamples both axes of a patch, "d" the second one, which runs through plane.
        scale: the factor, 2 or 4.
        patch: side of a high-resolution patch in pixels, a multiple of the scale, at least 7.
        batch: patches at a time.
        seed: the same seed gives the same batches.

    Returns:
        A tf.data.Dataset of (lr, hr), float32, normalised intensities: hr (batch, patch, patch, 1); lr (batch, patch /
        scale, patch / scale, 1), for the d stage (batch, patch, patch / scale, 1).

    Raises:
        ConfigurationError: an argument is out of its range, or a scan is too small or shows no tissue.
        VolumeError: a scan cannot be read.
        MissingDependencyError: TensorFlow is not installed.
    """
    if not scans:
        raise ConfigurationError("There is no scan to draw patches from; give at least one.")
    configuration = Configuration(
        # The family builds networks; batches do not depend on it.
        NetworkConfiguration(FAMILIES[0], stage, scale),
        PatchConfiguration(patch, patch, batch),
        TrainingConfiguration(epochs=1, steps_per_epoch=1, learning_rate=1.0, final_learning_rate=1.0, seed=seed),
    )
    loaded = [_scan_in_memory(scan if isinstance(scan, Volume) else read_training_scan(scan)) for scan in scans]
    for scan in loaded:
        check_patches(scan, configuration)
    return dataset.training_batches(loaded, configuration).map(lambda lr, hr: (lr, hr["final"]))


def _scan_in_memory(volume: Volume) -> Scan:
    normalization, axis = normalization_of(volume), through_plane_axis(volume.spacing)
    voxels = np.moveaxis(normalization.apply(volume.voxels).astype(np.float16), axis, 0)
    tissue = np.moveaxis(tissue_mask(volume, normalization), axis, 0)
    slices = tissue_slices(tissue, 0)
    if slices.size == 0:
        raise ConfigurationError(f"{volume.source} shows no tissue; leave it out.")
    return Scan(voxels, tissue, slices, str(volume.modality), volume.source)
