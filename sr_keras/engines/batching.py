"""Runs any number of images on an engine: in batches, in smaller ones where memory runs out, and no image twice."""

from functools import lru_cache

import numpy as np

from sr_keras.engines.interface import Engine, Images
from sr_keras.engines.signature import Range, ShapeLimits
from sr_keras.engines.tiling import TiledEngine, constant_border_crop
from sr_keras.errors import DeviceMemoryError
from sr_keras.models.stages import StageCard
from sr_keras.networks import output_factors

# No image is cut smaller than this many times the network's reach: most of what is computed would be overlap.
SMALLEST_TILE = 3
# Answers for images of one value that are kept: an ensemble runs slices upright and turned.
ANSWERS = 2


class Batched:
    """Runs batches of any size on an engine, whatever its limits.

    An image of one value, such as a slice of air, is run once and its answer used again for others of that value, and
    for what lies around the middle of images, where an engine is elastic. Where a batch does not fit into the device's
    memory, batches are halved, then images are cut into overlapping tiles, and it stays so for later runs. The result
    is the same bit for bit on an engine whose arithmetic depends neither on the size of batches nor on that of images,
    as onnxruntime's on x86 processors does not.

    Args:
        engine: the one to run.
        batch: the largest number of images at once.
    """

    def __init__(self, engine: Engine, batch: int) -> None:
        self._engine, self.batch = engine, batch
        self._shape_limits = getattr(engine, "shape_limits", ShapeLimits())
        self._answer = lru_cache(ANSWERS)(self._run_constant)

    @property
    def card(self) -> StageCard:
        """What the stage is."""
        return self._engine.card

    def run(self, images: Images) -> Images:
        """Return the final output for any number of images; see `Engine.run`.

        Raises:
            DeviceMemoryError: not even a small tile fits into the device's memory.
        """
        constant = [_is_constant(image) for image in images]
        if len(images) <= self.batch and not any(constant):
            return self._run_cropped(images)
        rows, columns = output_factors(self.card.stage, self.card.scale)
        count, height, width = images.shape
        result = np.empty((count, height * rows, width * columns), np.float32)
        for index in np.flatnonzero(constant):
            result[index] = self._answer(float(images[index, 0, 0]), images.shape[1:])
        varied = np.flatnonzero(np.logical_not(constant))
        while len(varied):
            taken, varied = varied[: self.batch], varied[self.batch :]
            result[taken] = self._run_cropped(images[taken])
        return result

    def _run_cropped(self, images: Images) -> Images:
        """Run what of images has to be run; what lies around it is known."""
        dynamic_shape = getattr(self._engine, "dynamic_shape", False) and self._shape_limits == ShapeLimits()
        middle = constant_border_crop(images, self.card.receptive_field_radius) if dynamic_shape else None
        if middle is None:
            return self._attempt(images)
        value, rows, columns = middle
        down, right = output_factors(self.card.stage, self.card.scale)
        result = np.repeat(self._answer(float(value), images.shape[1:])[None], len(images), axis=0)
        made = self._attempt(images[:, rows.run, columns.run])
        kept = made[:, rows.kept(down, rows.start), columns.kept(right, columns.start)]
        result[:, rows.kept(down), columns.kept(right)] = kept
        return result

    def _attempt(self, images: Images) -> Images:
        """Run a batch, or parts of it where it does not fit into memory."""
        try:
            whole = self._shape_limits == ShapeLimits()
            return (self._engine if whole else TiledEngine(self._engine, self._shape_limits)).run(images)
        except DeviceMemoryError:
            if len(images) > 1:
                self.batch = len(images) // 2
            elif not self._cut(images.shape):
                raise
        # Out of the handler, whose exception holds on to the memory of the failed run.
        size = self.batch
        parts = [self._attempt(images[start : start + size]) for start in range(0, len(images), size)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _cut(self, shape: tuple[int, ...]) -> bool:
        """Halve the longer side of the tiles; say whether they may be as small as that."""
        limits, reach = (self._shape_limits.height, self._shape_limits.width), self.card.receptive_field_radius
        lengths = [min(length, limit[1] or length) for length, limit in zip(shape[1:], limits, strict=True)]
        longer = int(np.argmax(lengths))
        half = -(-lengths[longer] // 2)
        if half < max(SMALLEST_TILE * reach[longer], limits[longer][0]):
            return False
        sides: list[Range] = list(limits)
        sides[longer] = (sides[longer][0], half)
        self._shape_limits = ShapeLimits(self._shape_limits.batch, *sides)
        return True

    def _run_constant(self, value: float, shape: tuple[int, ...]) -> Images:
        """Run an image of one value."""
        output: Images = self._attempt(np.full((1, *shape), value, np.float32))[0]
        return output


def _is_constant(image: Images) -> bool:
    first = image[0, 0]
    # Three pixels tell almost every image apart, so that few are looked at whole.
    return bool(first == image[-1, -1] and first == image[len(image) // 2, -1] and (image == first).all())
