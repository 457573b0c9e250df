"""Whole slices, degraded by the acquisitions that models are compared on, to choose the best epoch by."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.acquisition.presets import IN_PLANE_CASES, PRESETS, THROUGH_PLANE_CASES
from sr_keras.acquisition.simulation import acquire
from sr_keras.networks import StageName, upsampled_axes
from sr_keras.training.acquired_batches import description_length
from sr_keras.training.acquired_slices import DenoisedScan
from sr_keras.volumes.normalization import evenly, tissue_slices


def acquired_validation_images(scans: Sequence[DenoisedScan], stage: StageName, scale: int, slices: int) -> Any:
    """Return slices with tissue, evenly drawn, once for each case of their modality; all of their noise is kept.

    Args:
        scans: to draw from.
        stage: "hw" or "d".
        scale: the factor.
        slices: from each scan.

    Returns:
        A tf.data.Dataset of batches of one image, as `acquired_batches` gives them.
    """
    table = IN_PLANE_CASES if stage == "hw" else THROUGH_PLANE_CASES
    cases = [(scan, case) for scan in scans for case in table[scan.scan.modality]]

    def images() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for scan, case in cases:
            for lr, description, hr in _degraded(scan, case, stage, scale, slices):
                truth = hr[None, ..., None]
                yield (
                    {"lr": lr[None, ..., None], "description": description[None]},
                    {
                        "intermediate": truth,
                        "final": truth,
                    },
                )

    image = tf.TensorSpec((1, None, None, 1), tf.float32)
    signature = (
        {"lr": image, "description": tf.TensorSpec((1, description_length(stage)), tf.float32)},
        {"intermediate": image, "final": image},
    )
    dataset = tf.data.Dataset.from_generator(images, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(cases) * slices)).cache()


def _degraded(
    scan: DenoisedScan, case: str, stage: StageName, scale: int, count: int
) -> Iterator[tuple[Any, Any, Any]]:
    """Yield low-resolution slices, the description of their scan and their ground truth, float32."""
    voxels = scan.scan.voxels
    if stage == "hw":
        factors, chosen = (1, scale, scale), evenly(scan.scan.slices, count)
        truth = voxels[chosen].astype(np.float32)
    else:
        factors, chosen = (scale, 1, 1), evenly(tissue_slices(scan.scan.tissue, 1), count)
        truth = voxels[:, chosen].astype(np.float32)
    truth = truth[tuple(slice(size // factor * factor) for size, factor in zip(truth.shape, factors, strict=True))]
    hounsfield = 1.0 / scan.data_range
    low = acquire(truth, factors, PRESETS[case], np.random.default_rng(0), data_range=1.0, hounsfield=hounsfield)
    if stage == "d":
        truth, low = truth.transpose(1, 2, 0), np.ascontiguousarray(low.transpose(1, 2, 0))
    description = np.append(fingerprint(low, upsampled_axes(stage)), np.float32(1.0))
    for lr, hr in zip(low, truth, strict=True):
        yield lr, description, hr
