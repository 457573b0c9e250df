"""Batching: run any number of images on an engine, in smaller batches or tiles where memory runs out."""

from functools import lru_cache

import numpy as np

from sr_keras.engines.interface import Engine, Images
from sr_keras.engines.signature import Range, ShapeLimits
from sr_keras.engines.tiling import TiledEngine, constant_border_crop
from sr_keras.errors import DeviceMemoryError
from sr_keras.models.cards import StageCard
from sr_keras.networks import output_factors, upsampled_axes
from sr_keras.networks.folding import LINEAR_TAPS

# Smallest side of a tile in receptive field radii: most of a smaller tile would be overlap.
SMALLEST_TILE = 3
# Number of constant images whose outputs are cached: self-ensembles run each slice in two orientations.
CACHED_OUTPUTS = 2


class Batched:
    """Runs batches of any size on an engine, whatever its shape limits.

    The output for a constant image, such as a slice of air, is cached and reused; on an engine with `dynamic_shape` the
    constant borders of other images, such as CT padding, are cropped and filled from that cache. Where a batch does not
    fit into the device's memory, the batch size is halved, then images are cut into overlapping tiles; later runs start
    from there. The output is bit-identical in all cases on an engine whose arithmetic depends neither on the batch size
    nor on the image size, as that of onnxruntime on x86 processors.

    Networks see zeros beyond an image and have learned what that does to its border. Cubic interpolation has not, so
    images are mirrored there before an engine runs them that interpolates, wholly or in part, because it has not
    learned from scans like them (`ConditionalEngine.trust`), or has been adapted to one.

    Args:
        engine: the engine to run.
        batch: largest number of images in one run, 1 or more.
    """

    def __init__(self, engine: Engine, batch: int) -> None:
        self._engine, self.batch = engine, batch
        self._shape_limits = getattr(engine, "shape_limits", ShapeLimits())
        self._constant_output = lru_cache(CACHED_OUTPUTS)(self._run_constant)
        interpolates = getattr(engine, "trust", 1.0) < 1.0 or engine.card.chain.get("mirrored", False)
        axes = upsampled_axes(engine.card.stage) if interpolates else ()
        self._margins = [LINEAR_TAPS // 2 if axis in axes else 0 for axis in (0, 1)]

    @property
    def card(self) -> StageCard:
        """The card of the stage."""
        return self._engine.card

    def run(self, images: Images) -> Images:
        """Return the final output for any number of images; see `Engine.run`.

        Raises:
            DeviceMemoryError: not even a small tile fits into the device's memory.
        """
        if not any(self._margins):
            return self._run_whole(images)
        height, width = self._margins
        output = self._run_whole(np.pad(images, ((0, 0), (height,) * 2, (width,) * 2), mode="symmetric"))
        rows, columns = (
            slice(margin * factor, length - margin * factor)
            for margin, factor, length in zip(
                self._margins, output_factors(self.card.stage, self.card.scale), output.shape[1:], strict=True
            )
        )
        return output[:, rows, columns]

    def _run_whole(self, images: Images) -> Images:
        """Run images of which constant ones need no arithmetic, in batches."""
        constant = [_is_constant(image) for image in images]
        if len(images) <= self.batch and not any(constant):
            return self._run_cropped(images)
        rows, columns = output_factors(self.card.stage, self.card.scale)
        count, height, width = images.shape
        result = np.empty((count, height * rows, width * columns), np.float32)
        for index in np.flatnonzero(constant):
            result[index] = self._constant_output(float(images[index, 0, 0]), images.shape[1:])
        varied = np.flatnonzero(np.logical_not(constant))
        while len(varied):
            batch, varied = varied[: self.batch], varied[self.batch :]
            result[batch] = self._run_cropped(images[batch])
        return result

    def _run_cropped(self, images: Images) -> Images:
        """Run images without their constant borders, whose output is cached."""
        dynamic_shape = getattr(self._engine, "dynamic_shape", False) and self._shape_limits == ShapeLimits()
        crop = constant_border_crop(images, self.card.receptive_field_radius) if dynamic_shape else None
        if crop is None:
            return self._run_within_memory(images)
        value, rows, columns = crop
        height, width = output_factors(self.card.stage, self.card.scale)
        result = np.repeat(self._constant_output(float(value), images.shape[1:])[None], len(images), axis=0)
        output = self._run_within_memory(images[:, rows.run, columns.run])
        kept = output[:, rows.kept(height, rows.start), columns.kept(width, columns.start)]
        result[:, rows.kept(height), columns.kept(width)] = kept
        return result

    def _run_within_memory(self, images: Images) -> Images:
        """Run a batch; where it does not fit into memory, run it in smaller batches or tiles."""
        try:
            untiled = self._shape_limits == ShapeLimits()
            return (self._engine if untiled else TiledEngine(self._engine, self._shape_limits)).run(images)
        except DeviceMemoryError:
            if len(images) > 1:
                self.batch = len(images) // 2
            elif not self._halve_tiles(images.shape):
                raise
        # Outside the handler: its exception holds references to the memory of the failed run.
        size = self.batch
        outputs = [self._run_within_memory(images[start : start + size]) for start in range(0, len(images), size)]
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def _halve_tiles(self, shape: tuple[int, ...]) -> bool:
        """Halve the longer side of the tiles; return whether that side is still long enough."""
        limits, radius = (self._shape_limits.height, self._shape_limits.width), self.card.receptive_field_radius
        lengths = [min(length, limit[1] or length) for length, limit in zip(shape[1:], limits, strict=True)]
        longer = int(np.argmax(lengths))
        half = -(-lengths[longer] // 2)
        if half < max(SMALLEST_TILE * radius[longer], limits[longer][0]):
            return False
        sides: list[Range] = list(limits)
        sides[longer] = (sides[longer][0], half)
        self._shape_limits = ShapeLimits(self._shape_limits.batch, *sides)
        return True

    def _run_constant(self, value: float, shape: tuple[int, ...]) -> Images:
        """Return the output for one constant image of a shape (height, width)."""
        output: Images = self._run_within_memory(np.full((1, *shape), value, np.float32))[0]
        return output


def _is_constant(image: Images) -> bool:
    first = image[0, 0]
    # Three pixels suffice to rule out almost every other image, so that few are compared whole.
    return bool(first == image[-1, -1] and first == image[len(image) // 2, -1] and (image == first).all())
