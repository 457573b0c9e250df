"""What lies in the middle of images, where all around it is of one value and the network's answer there is known."""

from collections.abc import Sequence

import numpy as np

from sr_keras.engines.fitting import Part
from sr_keras.engines.interface import Images

# The middle begins and ends at multiples of this, in pixels: sizes that engines are fast at, and not too many of them.
STEP = 16
# A middle larger than this share of the images saves less than it takes to put it back.
WORTHWHILE = 15 / 16


def middle_of(images: Images, reach: Sequence[int]) -> tuple[np.float32, Part, Part] | None:
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
    rows, columns = (_middle(other.any(axis=1 - axis), reach[axis]) for axis in (0, 1))
    run = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (value, rows, columns) if run <= WORTHWHILE * other.size else None


def _middle(other: Images, reach: int) -> Part:
    """Return the stretch for an axis, from which of its lines have another value."""
    found, length = np.flatnonzero(other), len(other)
    start = max(0, int(found[0]) - 2 * reach) // STEP * STEP
    stop = min(length, -(-(int(found[-1]) + 1 + 2 * reach) // STEP) * STEP)
    keep_from = start + reach if start else 0
    keep_to = stop - reach if stop < length else length
    return Part(start, stop, keep_from, keep_to)
