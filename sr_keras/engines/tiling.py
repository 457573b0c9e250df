"""Tiling: cut images into tiles that an engine accepts, and join the outputs without seams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sr_keras.engines.interface import Engine, Images
from sr_keras.engines.signature import Range, ShapeLimits
from sr_keras.errors import ModelFileError
from sr_keras.models.cards import StageCard
from sr_keras.networks import output_factors

# Crops begin and end at multiples of this, in pixels: engines are fast at such sizes, and few different sizes occur.
STEP = 16
# Cropping to more than this share of the pixels saves less time than it takes to paste the output back.
WORTHWHILE = 15 / 16


@dataclass(frozen=True)
class Tile:
    """A range of pixels of an axis that is run at once, and the range of its output that is kept.

    Attributes:
        start: first pixel that is run.
        stop: one past the last pixel that is run.
        keep_from: first pixel whose output is kept, counted on the whole axis like the others.
        keep_to: one past the last pixel whose output is kept.
    """

    start: int
    stop: int
    keep_from: int
    keep_to: int

    @property
    def run(self) -> slice:
        """The pixels to run, of the whole axis."""
        return slice(self.start, self.stop)

    def kept(self, factor: int, origin: int = 0) -> slice:
        """Return the output pixels to keep.

        Args:
            factor: upsampling factor of the axis.
            origin: input pixel at which the indexed output begins: 0 for the whole axis, `start` for the tile's output.
        """
        return slice((self.keep_from - origin) * factor, (self.keep_to - origin) * factor)


def tiled(engine: Engine) -> Engine:
    """Return an engine that runs batches of any shape on this one, whatever its shape limits."""
    limits = getattr(engine, "shape_limits", ShapeLimits())
    return engine if limits == ShapeLimits() else TiledEngine(engine, limits)


class TiledEngine:
    """Runs batches of any shape on an engine with shape limits.

    Long axes are cut into tiles that overlap by twice the receptive field radius, so that the kept output of each tile
    equals that of the whole image. Short axes are padded by mirroring, and the padding is cropped from the output; only
    there, within the receptive field radius of the border, does the output differ from that of the unlimited engine.

    Args:
        engine: the engine to run.
        limits: the input shapes that it accepts.
    """

    def __init__(self, engine: Engine, limits: ShapeLimits) -> None:
        self._engine, self._shape_limits = engine, limits

    @property
    def card(self) -> StageCard:
        """The card of the stage."""
        return self._engine.card

    def run(self, images: Images) -> Images:
        """Return the final output for a batch of any shape; see `Engine.run`.

        Raises:
            ModelFileError: the limits are smaller than the receptive field, so that tiles cannot overlap enough.
        """
        count, height, width = images.shape
        card = self.card
        factors = output_factors(card.stage, card.scale)
        padded = _padded(images, (1, *(limit[0] for limit in (self._shape_limits.height, self._shape_limits.width))))
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
            outputs.append(self._engine.run(_padded(batch, (low, 1, 1)))[: len(batch)])
        return np.concatenate(outputs)


def constant_border_crop(images: Images, radius: Sequence[int]) -> tuple[np.float32, Tile, Tile] | None:
    """Return the crop of images outside of which the output equals that for a constant image.

    An output pixel depends on the input pixels within the receptive field radius. So the output is known wherever all
    other values are further away than that, and the crop that is run exceeds the kept part by the radius once more.

    Args:
        images: (batch, height, width), not constant.
        radius: of the receptive field along height and width, in pixels.

    Returns:
        The value of the constant border, the rows and the columns of the crop; None if no side of the images is
        constant, or if the crop would save too little.
    """
    borders = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    value = next((border[0, 0] for border in borders if (border == border[0, 0]).all()), None)
    if value is None:
        return None
    other = (images != value).any(axis=0)
    rows, columns = (_crop(other.any(axis=1 - axis), radius[axis]) for axis in (0, 1))
    run = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (value, rows, columns) if run <= WORTHWHILE * other.size else None


def _padded(images: Images, least: tuple[int, ...]) -> Images:
    """Pad short axes by mirroring until each has its least length."""
    missing = [max(0, low - length) for length, low in zip(images.shape, least, strict=True)]
    return np.pad(images, [(0, count) for count in missing], mode="symmetric") if any(missing) else images


def _tiles(length: int, limits: Range, radius: int) -> Iterator[Tile]:
    """Yield overlapping tiles of at most the largest length that cover an axis."""
    size = limits[1] or length
    if length <= size:
        yield Tile(0, length, 0, length)
        return
    if size <= 2 * radius:
        raise ModelFileError(
            f"Tiles of {size} pixels are smaller than the receptive field of {2 * radius + 1}; export the model with a "
            "larger --shape."
        )
    kept = 0
    while kept < length:
        start = min(max(0, kept - radius), length - size)
        end = start + size
        keep_to = length if end == length else end - radius
        yield Tile(start, end, kept, keep_to)
        kept = keep_to


def _crop(other: Images, radius: int) -> Tile:
    """Return the crop of an axis, from which of its lines have values other than the border's."""
    found, length = np.flatnonzero(other), len(other)
    start = max(0, int(found[0]) - 2 * radius) // STEP * STEP
    stop = min(length, -(-(int(found[-1]) + 1 + 2 * radius) // STEP) * STEP)
    keep_from = start + radius if start else 0
    keep_to = stop - radius if stop < length else length
    return Tile(start, stop, keep_from, keep_to)
