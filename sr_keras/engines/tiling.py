"""Cuts batches of images to what an engine takes, and joins the results without seams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sr_keras.engines.interface import Engine, Images
from sr_keras.engines.signature import Range, ShapeLimits
from sr_keras.errors import ModelFileError
from sr_keras.models.stages import StageCard
from sr_keras.networks import output_factors

# The middle begins and ends at multiples of this, in pixels: sizes that engines are fast at, and not too many of them.
STEP = 16
# A middle larger than this share of the images saves less than it takes to put it back.
WORTHWHILE = 15 / 16


@dataclass(frozen=True)
class Tile:
    """A stretch of an axis that is run at once, and what of it is kept.

    Attributes:
        start: where it begins.
        stop: where it ends.
        keep_from: where the kept part begins, counted on the whole axis.
        keep_to: where it ends.
    """

    start: int
    stop: int
    keep_from: int
    keep_to: int

    @property
    def run(self) -> slice:
        """What is run, of the whole axis."""
        return slice(self.start, self.stop)

    def kept(self, factor: int, origin: int = 0) -> slice:
        """What is kept, of an axis enlarged by a factor that begins at an origin."""
        return slice((self.keep_from - origin) * factor, (self.keep_to - origin) * factor)


def tiled(engine: Engine) -> Engine:
    """Return an engine that takes batches of any size, whatever this one's limits."""
    limits = getattr(engine, "shape_limits", ShapeLimits())
    return engine if limits == ShapeLimits() else TiledEngine(engine, limits)


class TiledEngine:
    """Runs any batch on an engine with limits.

    Long axes are cut into parts that overlap by twice the network's reach, so that what is kept of each is what the
    network makes of the whole image. Short axes are continued by mirroring, and the excess is dropped; there alone,
    within the reach of the border, results differ from those of an engine without limits.

    Args:
        engine: the one to run.
        limits: the batches that it takes.
    """

    def __init__(self, engine: Engine, limits: ShapeLimits) -> None:
        self._engine, self._shape_limits = engine, limits

    @property
    def card(self) -> StageCard:
        """What the stage is."""
        return self._engine.card

    def run(self, images: Images) -> Images:
        """Return the final output for a batch of any size; see `Engine.run`."""
        count, height, width = images.shape
        card = self.card
        factors = output_factors(card.stage, card.scale)
        padded = _continued(images, (1, *(limit[0] for limit in (self._shape_limits.height, self._shape_limits.width))))
        rows = list(_tiles(padded.shape[1], self._shape_limits.height, card.receptive_field_radius[0]))
        columns = list(_tiles(padded.shape[2], self._shape_limits.width, card.receptive_field_radius[1]))
        result = np.empty((count, padded.shape[1] * factors[0], padded.shape[2] * factors[1]), np.float32)
        for row in rows:
            for column in columns:
                output = self._batched(padded[:, row.run, column.run])
                inner = (row.kept(factors[0], row.start), column.kept(factors[1], column.start))
                result[:, row.kept(factors[0]), column.kept(factors[1])] = output[:, inner[0], inner[1]]
        return result[:, : height * factors[0], : width * factors[1]]

    def _batched(self, images: Images) -> Images:
        low, high = self._shape_limits.batch
        size = high or max(len(images), low)
        outputs = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            outputs.append(self._engine.run(_continued(batch, (low, 1, 1)))[: len(batch)])
        return np.concatenate(outputs)


def constant_border_crop(images: Images, reach: Sequence[int]) -> tuple[np.float32, Tile, Tile] | None:
    """Return the rows and the columns outside of which a network gives what it gives for images of one value.

    What it gives for a pixel depends on all within its reach. So pixels further than that from all other values are
    known, and what is run is larger than what is kept by the reach again.

    Args:
        images: (batch, height, width), not all of one value.
        reach: of the network along height and width, in pixels.

    Returns:
        The value and the two stretches; None where no side of the images is of one value, or where running less than
        all would not be worth while.
    """
    borders = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    value = next((border[0, 0] for border in borders if (border == border[0, 0]).all()), None)
    if value is None:
        return None
    other = (images != value).any(axis=0)
    rows, columns = (_crop(other.any(axis=1 - axis), reach[axis]) for axis in (0, 1))
    run = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (value, rows, columns) if run <= WORTHWHILE * other.size else None


def _continued(images: Images, least: tuple[int, ...]) -> Images:
    """Mirror short axes at their ends until each has its least length."""
    missing = [max(0, low - length) for length, low in zip(images.shape, least, strict=True)]
    return np.pad(images, [(0, count) for count in missing], mode="symmetric") if any(missing) else images


def _tiles(length: int, limits: Range, reach: int) -> Iterator[Tile]:
    """Cut an axis into parts of at most the largest length."""
    size = limits[1] or length
    if length <= size:
        yield Tile(0, length, 0, length)
        return
    if size <= 2 * reach:
        raise ModelFileError(
            f"An image can be cut into parts of {2 * reach + 1} pixels or more, twice the network's reach and one. "
            f"Received: parts of {size}. Export with a larger --shape."
        )
    kept = 0
    while kept < length:
        start = min(max(0, kept - reach), length - size)
        end = start + size
        keep_to = length if end == length else end - reach
        yield Tile(start, end, kept, keep_to)
        kept = keep_to


def _crop(other: Images, reach: int) -> Tile:
    """Return the stretch for an axis, from which of its lines have another value."""
    found, length = np.flatnonzero(other), len(other)
    start = max(0, int(found[0]) - 2 * reach) // STEP * STEP
    stop = min(length, -(-(int(found[-1]) + 1 + 2 * reach) // STEP) * STEP)
    keep_from = start + reach if start else 0
    keep_to = stop - reach if stop < length else length
    return Tile(start, stop, keep_from, keep_to)
