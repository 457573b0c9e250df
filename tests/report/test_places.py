import numpy as np

from sr_keras.report.places import largest_places
from sr_keras.volumes.volume import Volume


def test_the_largest_places_lie_apart_in_mm():
    voxels = np.zeros((40, 40, 10), np.float32)
    voxels[5, 5, 5], voxels[9, 5, 5], voxels[16, 5, 5], voxels[5, 5, 8] = 9, 8, 7, 6
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    affine[:3, 3] = [-20, 0, 100]
    places = largest_places(Volume(voxels, affine))
    # The second is 4 mm from the first; the last lies 3 slices of 4 mm away.
    assert [(place.point, place.value) for place in places] == [
        ((-15, 5, 120), 9),
        ((-4, 5, 120), 7),
        ((-15, 5, 132), 6),
    ]


def test_ten_places_at_most():
    voxels = np.random.default_rng(0).random((60, 60, 60)).astype(np.float32)
    places = largest_places(Volume(voxels, np.diag([2.0, 2, 2, 1])))
    assert len(places) == 10
    points = np.array([place.point for place in places])
    distances = np.linalg.norm(points[:, None] - points, axis=-1) + 1e3 * np.eye(10)
    assert distances.min() >= 10
    assert [place.value for place in places] == sorted((place.value for place in places), reverse=True)


def test_a_map_of_zeros_has_no_place():
    assert largest_places(Volume(np.zeros((5, 5, 5), np.float32), np.eye(4))) == []
