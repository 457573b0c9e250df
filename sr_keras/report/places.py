"""Where a map is largest: places that lie apart."""

from dataclasses import dataclass

import numpy as np

from sr_keras.volumes.volume import Volume

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
    reach = [int(np.ceil(apart / size)) for size in volume.spacing]
    places: list[Place] = []
    while len(places) < count:
        index = np.unravel_index(int(left.argmax()), left.shape)
        value = float(left[index])
        if value <= 0:
            break
        x, y, z = (volume.affine[:3, :3] @ np.array(index) + volume.affine[:3, 3]).tolist()
        places.append(Place((x, y, z), value))
        # Around the place, all that is nearer than the distance is left out.
        box = tuple(slice(max(0, at - far), at + far + 1) for at, far in zip(index, reach, strict=True))
        offsets = np.meshgrid(
            *(np.arange(side.start, min(side.stop, length)) for side, length in zip(box, left.shape, strict=True)),
            indexing="ij",
        )
        steps = np.stack(offsets, axis=-1) - np.array(index)
        near = np.linalg.norm(steps @ volume.affine[:3, :3].T, axis=-1) < apart
        left[box][near] = 0
    return places
