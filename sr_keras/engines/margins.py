"""What lies in the middle of images, where all around it is of one value and the network's answer there is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sr_keras.engines.interface import Images

# The middle begins and ends at multiples of this, in pixels: sizes that engines are fast at, and not too many of them.
STEP = 16
# A middle larger than this share of the images saves less than it takes to put it back.
WORTHWHILE = 15 / 16


@dataclass(frozen=True)
class Middle:
    """A stretch of an axis that is run, and what of its result is kept.

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


def middle_of(images: Images, reach: Sequence[int]) -> tuple[np.float32, Middle, Middle] | None:
    """Return the rows and the columns outside of which a network gives what it gives for images of one value.

    What it gives for a pixel depends on all within its reach. So pixels further than that from all other values are
    known, and what is run is larger than what is kept by the reach again.

    Args:
        images: (batch, height, width), not all of one value.
        reach: of the network along height and width, in pixels.

    Returns:
        The value and the two stretches; None where running them would not be worth while.
    """
    borders = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    value = next((border[0, 0] for border in borders if (border == border[0, 0]).all()), None)
    if value is None:
        return None
    other = (images != value).any(axis=0)
    rows, columns = (_middle(other.any(axis=1 - axis), reach[axis]) for axis in (0, 1))
    run = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (value, rows, columns) if run <= WORTHWHILE * other.size else None


def _middle(other: Images, reach: int) -> Middle:
    """Return the stretch for an axis, from which of its lines have another value."""
    found, length = np.flatnonzero(other), len(other)
    start = max(0, int(found[0]) - 2 * reach) // STEP * STEP
    stop = min(length, -(-(int(found[-1]) + 1 + 2 * reach) // STEP) * STEP)
    return Middle(start, stop, start and start + reach, stop if stop == length else stop - reach)
