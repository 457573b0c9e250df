"""Batches for conditional networks: patches of slices degraded as scanners do it, with what the scans show of that.

Groups of slices are degraded beside the training, in a window that moves with the steps. Group and batch are functions
of the seed and of their number alone, so an interrupted run goes on with exactly the batches it would have seen.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from sr_keras.acquisition.fingerprint import fingerprint_length
from sr_keras.networks import StageName, output_factors, upsampled_axes
from sr_keras.networks.folding import KEPT_NOISE
from sr_keras.training.acquired_slices import DenoisedScan, Group, acquired_group
from sr_keras.training.configuration import Configuration
from sr_keras.volumes.normalization import MR_TISSUE

Floats = npt.NDArray[np.float32]
# Numbers that keep the random streams of one seed apart.
GROUP_STREAM, BATCH_STREAM = 1, 2
# A patch is drawn again while less of it is tissue, at most this often.
TISSUE_SHARE, ATTEMPTS = 0.1, 10
# Half of the parts keep as much noise as is the default, the others any part of it.
KEPT_SHARE = 0.5
# Threads that degrade slices.
THREADS = 2


def description_length(stage: StageName) -> int:
    """Return how many numbers describe a scan: its fingerprint, and how much of its noise is kept."""
    return fingerprint_length(upsampled_axes(stage)) + 1


class GroupWindow:
    """Degraded groups of slices that are at hand at a step, made ahead by threads.

    Args:
        scans: each of a modality is drawn from equally often.
        configuration: says how many groups there are at a time and how many steps each replaces one.
    """

    def __init__(self, scans: Sequence[DenoisedScan], configuration: Configuration) -> None:
        self._scans, self._configuration = scans, configuration
        self._executor = ThreadPoolExecutor(THREADS)
        self._groups: dict[int, Future[Group]] = {}

    def make(self, number: int) -> Group:
        """Return a group by its number: always the same."""
        network, seed = self._configuration.network, self._configuration.training.seed
        generator = np.random.default_rng((seed, GROUP_STREAM, number))
        # Each modality as often, however many scans there are of it.
        modality = generator.choice(sorted({scan.scan.modality for scan in self._scans}))
        scans = [scan for scan in self._scans if scan.scan.modality == modality]
        scan = scans[int(generator.integers(len(scans)))]
        share = self._configuration.acquisition.cubic_share
        return acquired_group(scan, network.stage, network.scale, generator, share)

    def fingerprints(self, count: int) -> Floats:
        """Return the fingerprints (group, number) of the first groups."""
        return np.array([group.fingerprint for group in self._executor.map(self.make, range(count))])

    def close(self) -> None:
        """Leave out what is still to be made: a process does not end before its threads do."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def numbers(self, step: int) -> range:
        """Return the numbers of the groups that batches of a step are drawn from."""
        acquisition = self._configuration.acquisition
        first = step // acquisition.steps_per_group
        return range(first, first + acquisition.window)

    def group(self, number: int, step: int) -> Group:
        """Return a group of a step's window, and begin to make all others of it."""
        numbers = self.numbers(step)
        for old in [each for each in self._groups if each < numbers.start]:
            del self._groups[old]
        for each in numbers:
            if each not in self._groups:
                self._groups[each] = self._executor.submit(self.make, each)
        return self._groups[number].result()


def acquired_batches(window: GroupWindow, configuration: Configuration, first_step: int = 0) -> Any:
    """Return the batches from the step `first_step` on, without end.

    Returns:
        A tf.data.Dataset of ({"lr": lr, "description": numbers}, {"intermediate": hr, "final": hr}), float32, lr
        (batch, height / factor, width / factor, 1), numbers (batch, length), hr (batch, height, width, 1).
    """
    patches, network = configuration.patches, configuration.network
    size = (patches.height, patches.width)
    low = tuple(each // factor for each, factor in zip(size, output_factors(network.stage, network.scale), strict=True))

    def draw(step: Any) -> tuple[Floats, Floats, Floats]:
        return draw_batch(window, configuration, int(step))

    length = description_length(network.stage)

    def batch(step: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        lr, description, hr = tf.numpy_function(draw, [step], (tf.float32,) * 3)
        lr, hr = tf.ensure_shape(lr, (patches.batch, *low, 1)), tf.ensure_shape(hr, (patches.batch, *size, 1))
        description = tf.ensure_shape(description, (patches.batch, length))
        return {"lr": lr, "description": description}, {"intermediate": hr, "final": hr}

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(tf.data.AUTOTUNE)


def draw_batch(window: GroupWindow, configuration: Configuration, step: int) -> tuple[Floats, Floats, Floats]:
    """Return the low-resolution patches, the descriptions and the ground truth of a step.

    The batch consists of equal parts; the patches of a part are of one group and have one noise dial.
    """
    patches, acquisition, network = configuration.patches, configuration.acquisition, configuration.network
    generator = np.random.default_rng((configuration.training.seed, BATCH_STREAM, step))
    factors = output_factors(network.stage, network.scale)
    height, width = patches.height // factors[0], patches.width // factors[1]
    lr = np.empty((patches.batch, height, width, 1), np.float32)
    hr = np.empty((patches.batch, patches.height, patches.width, 1), np.float32)
    description = np.empty((patches.batch, description_length(network.stage)), np.float32)
    part = patches.batch // acquisition.groups
    numbers = window.numbers(step)
    for start in range(0, patches.batch, part):
        group = window.group(int(generator.integers(numbers.start, numbers.stop)), step)
        dial = KEPT_NOISE if generator.random() < KEPT_SHARE else generator.random(dtype=np.float32)
        description[start : start + part] = np.append(group.fingerprint, dial)
        for index in range(start, start + part):
            lr[index, ..., 0], hr[index, ..., 0] = _patch(group, (height, width), factors, dial, generator)
            _mirror(lr[index], hr[index], generator)
    return lr, description, hr


def _patch(
    group: Group, size: tuple[int, int], factors: tuple[int, int], dial: float, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw a low-resolution patch and its ground truth, which keeps the part `dial` of its noise."""
    for _ in range(ATTEMPTS):
        index, row, column = (
            int(generator.integers(length - extent + 1))
            for length, extent in zip(group.low.shape, (1, *size), strict=True)
        )
        low = group.low[index, row : row + size[0], column : column + size[1]]
        if (low > MR_TISSUE).mean() >= TISSUE_SHARE:
            break
    rows, columns = (
        slice(first * factor, (first + extent) * factor)
        for first, extent, factor in zip((row, column), size, factors, strict=True)
    )
    high = group.denoised[index, rows, columns].astype(np.float32)
    return low, high + dial * group.noise[index, rows, columns].astype(np.float32)


def _mirror(low: Floats, high: Floats, generator: np.random.Generator) -> None:
    """Mirror a pair of patches at random."""
    drawn = generator.random(2) < 0.5
    for patch in (low, high):
        changed = patch[::-1] if drawn[0] else patch
        patch[:] = (changed[:, ::-1] if drawn[1] else changed).copy()
