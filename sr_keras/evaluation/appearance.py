"""How a result looks where there is no reference: noise in flat tissue, a lattice of pixels, edges."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import smooth_image

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
# Standard deviations in output pixels: noise is what the first takes away, flat is where the gradient at the second
# is small.
NOISE_SIGMA, GRADIENT_SIGMA = 2.0, 3.0
FLAT_SHARE = 0.25


def noise_level(image: Floats, tissue: Mask) -> float:
    """Return the noise in flat tissue: the standard deviation of what a Gaussian of two pixels takes away.

    Args:
        image: (row, column), float32.
        tissue: (row, column); the quarter of it with the smallest gradient at three pixels is flat.
    """
    gradient = np.hypot(*np.gradient(smooth_image(image, GRADIENT_SIGMA)))
    flat = tissue & (gradient <= np.quantile(gradient[tissue], FLAT_SHARE))
    return float((image - smooth_image(image, NOISE_SIGMA))[flat].std())


def lattice(slices: Floats, tissue: Mask) -> float:
    """Return how unlike the pixels of a x2 result are by their place in the low-resolution pixel; 1 is alike.

    Of one slice it is larger by chance alone: edges lie at some places more often than at others.

    Args:
        slices: (slice, row, column), float32, upsampled by 2 along rows and columns.
        tissue: (slice, row, column).

    Returns:
        The largest over the smallest of the four mean absolute Laplacians in the tissue of all slices.
    """
    padded = np.pad(slices, ((0, 0), (1, 1), (1, 1)), mode="edge")
    neighbours = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    response = np.abs(4.0 * slices - neighbours)
    places = [(slice(None), slice(row, None, 2), slice(column, None, 2)) for row in range(2) for column in range(2)]
    means = [float(response[place][tissue[place]].mean()) for place in places]
    return max(means) / min(means)


@dataclass(frozen=True)
class Edge:
    """What a method makes of a straight edge.

    Attributes:
        spread: mm from 10 to 90 % of its height.
        ringing: by how much it goes beyond the plateaus at most, in % of its height.
    """

    spread: float
    ringing: float


def measure_edge(profile: npt.NDArray[np.floating], low: float, high: float, spacing: float) -> Edge:
    """Return how wide an edge is and how much it rings.

    Args:
        profile: (samples,), across one rising edge, averaged along it.
        low: the value before the edge.
        high: the value after it.
        spacing: mm between samples.
    """
    relative = (np.asarray(profile, np.float64) - low) / (high - low)
    middle = int(np.argmax(relative >= 0.5))
    start, end = (_crossing(relative, level, middle) for level in (0.1, 0.9))
    ringing = 100.0 * max(0.0, float(relative.max()) - 1.0, -float(relative.min()))
    return Edge((end - start) * spacing, ringing)


def _crossing(relative: npt.NDArray[np.float64], level: float, middle: int) -> float:
    """Return where an edge that rises at `middle` passes a level, in samples."""
    if level < 0.5:
        before = np.flatnonzero(relative[: middle + 1] < level)
        first = int(before[-1]) if before.size else 0
    else:
        after = np.flatnonzero(relative[middle:] >= level)
        first = middle + int(after[0]) - 1 if after.size else len(relative) - 2
    step = relative[first + 1] - relative[first]
    return first + float((level - relative[first]) / step if step else 0.0)
