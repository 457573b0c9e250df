"""From scans to batches: a tf.data pipeline that degrades in graph and can start at any step.

Every batch is a function of the seed and its step alone, so an interrupted run goes on with exactly the batches it
would have seen.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from sr_keras.acquisition.degradation import downsample_images, gaussian_blur
from sr_keras.errors import ConfigurationError
from sr_keras.networks import StageName, output_factors
from sr_keras.training.configuration import Configuration, DegradationConfiguration
from sr_keras.training.losses import SSIM_FILTER
from sr_keras.training.patches import Scan, largest_patch, sample_patches
from sr_keras.volumes.normalization import tissue_slices
from sr_keras.volumes.resampling import downsample_volume

# Numbers that keep the random streams of one step apart.
AUGMENTATION_STREAM, DEGRADATION_STREAM, BLUR_STREAM = 1, 2, 3


def training_batches(scans: Sequence[Scan], configuration: Configuration, first_step: int = 0) -> Any:
    """Return the batches from the step `first_step` on, without end.

    Args:
        scans: to draw patches from, at least one.
        configuration: size of the patches and of the batch, stage, scale, degradation and seed.
        first_step: number of the first batch, from 0.

    Returns:
        A tf.data.Dataset of (lr, {"intermediate": hr, "final": hr}), float32, lr (batch, height / factor,
        width / factor, 1), hr (batch, height, width, 1).
    """
    patches, network = configuration.patches, configuration.network
    size, seed = (patches.height, patches.width), configuration.training.seed

    def draw(step: Any) -> npt.NDArray[np.float32]:
        return sample_patches(scans, network.stage, size, patches.batch, (seed, int(step)))

    def degraded(step: Any) -> tuple[Any, dict[str, Any]]:
        drawn = tf.ensure_shape(tf.numpy_function(draw, [step], tf.float32), (patches.batch, *size, 1))
        hr = augment(drawn, network.stage, (seed, step))
        lr = degrade(hr, configuration.degradation, network.stage, network.scale, (seed, step))
        return lr, {"intermediate": hr, "final": hr}

    steps = tf.data.Dataset.counter(first_step)
    return steps.map(degraded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def augment(images: Any, stage: StageName, seed: Any) -> Any:
    """Transpose and flip each image of a batch at random, in ways under which its stage sees the same task.

    Args:
        images: (batch, height, width, 1), float32, square for the hw stage.
        stage: "hw" draws from all 8 symmetries of the square; "d" from the 4 that keep depth on its axis.
        seed: two integers; the same give the same draws.

    Returns:
        Tensor of the shape and dtype of `images`.
    """
    drawn = tf.random.stateless_uniform((3, images.shape[0], 1, 1, 1), _stream(seed, AUGMENTATION_STREAM)) < 0.5
    images = tf.where(drawn[0], images[:, ::-1], images)
    images = tf.where(drawn[1], images[:, :, ::-1], images)
    return tf.where(drawn[2], tf.transpose(images, (0, 2, 1, 3)), images) if stage == "hw" else images


def degrade(images: Any, degradation: DegradationConfiguration, stage: StageName, scale: int, seed: Any) -> Any:
    """Make the low-resolution images of a batch: blur some, each by its own sigma, then downsample all.

    Args:
        images: (batch, height, width, 1), float32, static shape.
        degradation: probability, range of sigma and size of the kernel.
        stage: "hw" downsamples height and width, "d" the width.
        scale: the factor.
        seed: two integers; the same give the same draws.

    Returns:
        Tensor (batch, height / scale or height, width / scale, 1), float32.
    """
    count = (images.shape[0],)
    chosen = tf.random.stateless_uniform(count, _stream(seed, BLUR_STREAM)) < degradation.probability
    low, high = degradation.sigma_low, degradation.sigma_high
    sigmas = low + (high - low) * tf.random.stateless_uniform(count, _stream(seed, DEGRADATION_STREAM))
    blurred = gaussian_blur(images, tf.where(chosen, sigmas, 0.0), degradation.kernel_size)
    return downsample_images(blurred, scale, (1, 2) if stage == "hw" else (2,))


def validation_images(scans: Sequence[Scan], stage: StageName, scale: int, slices: int, *, copies: int = 1) -> Any:
    """Return whole slices, evenly drawn from those with tissue, downsampled without blur.

    Args:
        scans: to draw from, each of which `check_validation_scan` accepts.
        stage: "hw" or "d".
        scale: the factor.
        slices: from each scan.
        copies: of the one image in each batch: one for each device, since none may go empty-handed.

    Returns:
        A tf.data.Dataset of (lr, {"intermediate": hr, "final": hr}), float32.
    """
    factors = output_factors(stage, scale)

    def images() -> Iterator[tuple[Any, dict[str, Any]]]:
        for scan in scans:
            for hr in _validation_slices(scan, stage, slices):
                height, width = (length // factor * factor for length, factor in zip(hr.shape, factors, strict=True))
                cropped = hr[None, :height, :width].astype(np.float32).repeat(copies, axis=0)
                lr = downsample_volume(cropped, (1, *factors))[..., None]
                yield lr, {"intermediate": cropped[..., None], "final": cropped[..., None]}

    image = tf.TensorSpec((copies, None, None, 1), tf.float32)
    dataset = tf.data.Dataset.from_generator(images, output_signature=(image, {"intermediate": image, "final": image}))
    return dataset.apply(tf.data.experimental.assert_cardinality(len(scans) * slices)).cache()


def check_validation_scan(scan: Scan, stage: StageName, scale: int) -> None:
    """Refuse a scan whose slices a stage cannot be validated on.

    Args:
        scan: a validation scan.
        stage: "hw" or "d".
        scale: the factor; slices are cropped to multiples of it.

    Raises:
        ConfigurationError: its slices are smaller than the window of SSIM, or show no tissue.
    """
    factors = output_factors(stage, scale)
    height, width = (
        length // factor * factor for length, factor in zip(largest_patch(scan, stage), factors, strict=True)
    )
    if min(height, width) < SSIM_FILTER:
        raise ConfigurationError(
            f"{scan.source} has slices of {height}x{width} voxels for validation, where {SSIM_FILTER}x{SSIM_FILTER} "
            "are needed; leave it out."
        )
    if any(tissue_slices(scan.tissue, axis).size == 0 for axis in ((0,) if stage == "hw" else (1, 2))):
        raise ConfigurationError(f"{scan.source} shows too little tissue to validate on; leave it out.")


def _validation_slices(scan: Scan, stage: StageName, count: int) -> Iterator[npt.NDArray[np.float16]]:
    """Yield slices across the through-plane axis (hw), or across the two others in turn with depth last (d)."""
    for number in range(count):
        axis = 0 if stage == "hw" else 1 + number % 2
        with_tissue = tissue_slices(scan.tissue, axis)
        index = int(with_tissue[(2 * number + 1) * with_tissue.size // (2 * count)])
        image: npt.NDArray[np.float16] = scan.voxels.take([index], axis).squeeze(axis)
        yield image if stage == "hw" else image.T


def _stream(seed: Any, stream: int) -> Any:
    return tf.random.experimental.stateless_fold_in(tf.stack([tf.cast(part, tf.int64) for part in seed]), stream)
