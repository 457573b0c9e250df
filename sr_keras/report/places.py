"""Where a map is largest: places that lie apart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.volume import Array, Volume

# How many places are named, and how far apart they lie, in mm.
PLACES, APART = 10, 10.0


@dataclass(frozen=True)
class Place:
    """A place in a volume.

    Attributes:
        point: mm in RAS+.
        value: of the map there, in its own units.
    """

    point: tuple[float, float, float]
    value: float


def largest_places(volume: Volume, count: int = PLACES, apart: float = APART) -> list[Place]:
    """Return the places where a map is largest, the largest first.

    Args:
        volume: the map; only values above zero count.
        count: of places at most.
        apart: mm between the centres of any two.
    """
    left = volume.voxels.astype(np.float32)
    places: list[Place] = []
    while len(places) < count:
        index = np.unravel_index(int(left.argmax()), left.shape)
        value = float(left[index])
        if value <= 0:
            break
        x, y, z = (volume.affine[:3, :3] @ np.array(index) + volume.affine[:3, 3]).tolist()
        places.append(Place((x, y, z), value))
        _clear_around(left, np.array(index), volume, apart)
    return places


def _clear_around(voxels: Array, index: npt.NDArray[np.intp], volume: Volume, apart: float) -> None:
    """Put zeros where voxels are nearer to one of them than a distance in mm."""
    reach = np.ceil(apart / np.array(volume.spacing)).astype(int)
    starts = np.maximum(0, index - reach)
    part = voxels[tuple(slice(start, stop) for start, stop in zip(starts, index + reach + 1, strict=True))]
    steps = np.indices(part.shape).reshape(3, -1).T + (starts - index)
    near = np.linalg.norm(steps @ volume.affine[:3, :3].T, axis=1) < apart
    part[near.reshape(part.shape)] = 0
