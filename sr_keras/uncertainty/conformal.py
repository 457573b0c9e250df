"""Conformal calibration, for edges and flat regions apart: NumPy alone.

Scans are exchangeable, voxels are not: neighbours err together. So each calibration scan counts as one case, whatever
its size: R. Dunn, L. Wasserman, A. Ramdas, "Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", JASA
118 (2023), DOI 10.1080/01621459.2022.2060112.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.uncertainty import LEVEL

Floats = npt.NDArray[np.float32]
# A pixel lies on an edge where the differences across it along both axes of the image, between its neighbours and in
# the mean over 3 x 3 pixels, sum up to more than this part of the normalised range.
EDGE = 0.1


@dataclass(frozen=True)
class Factors:
    """What the widths of an estimator are multiplied by.

    Attributes:
        edges: at edges.
        flat: elsewhere.
    """

    edges: float
    flat: float

    def at(self, edges: npt.NDArray[np.bool_]) -> Floats:
        """Return the factor of each pixel."""
        return np.where(edges, np.float32(self.edges), np.float32(self.flat))


def edges_of(images: Floats) -> npt.NDArray[np.bool_]:
    """Return which pixels lie on edges.

    Args:
        images: (image, row, column), normalised; beyond their borders they go on as they are there.
    """
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)), "edge")
    rows = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    columns = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    return np.asarray(_mean_around(np.abs(rows) + np.abs(columns)) > EDGE)


def _mean_around(images: Floats) -> Floats:
    """Return the mean over 3 x 3 pixels, where all of them are there."""
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    return np.asarray((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9.0, np.float32)


def calibrated_factor(scores: Sequence[Floats]) -> float:
    """Return the factor at which the intervals of every calibration scan hold its voxels at `LEVEL`, or more.

    If a new scan is like the N calibration scans, that is exchangeable with them, its intervals hold too with a
    probability of N / (N + 1).

    Args:
        scores: for each calibration scan the absolute errors over the half-widths, any number.
    """
    return max(float(np.quantile(each, LEVEL)) for each in scores if each.size)
