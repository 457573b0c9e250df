import nibabel
import numpy as np
import pytest

from sr_keras.report.boxes import box_on, cropped, lengths, shrunk, tissue_box, whole_box
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.volume import Volume


def test_the_tissue_has_two_voxels_of_margin_within_the_volume():
    voxels = np.zeros((30, 30, 30), np.int16)
    voxels[10:20, 1:20, 5:28] = 100
    assert tissue_box(Volume(voxels, np.eye(4))) == (slice(8, 22), slice(0, 22), slice(3, 30))


def test_a_scan_without_tissue_is_shown_whole():
    assert tissue_box(Volume(np.zeros((4, 5, 6), np.int16), np.eye(4))) == whole_box((4, 5, 6))


def test_a_part_lies_where_it_was():
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    affine = np.array([[0, -2.0, 0, 7], [1.0, 0, 0, 8], [0, 0, 3.0, 9], [0, 0, 0, 1]])
    part = cropped(Volume(voxels, affine), (slice(1, 3), slice(2, 5), slice(0, 4)))
    assert part.shape == (2, 3, 4)
    np.testing.assert_allclose(part.affine @ [0, 0, 0, 1], affine @ [1, 2, 0, 1])
    assert part.voxels[1, 2, 3] == voxels[2, 4, 3]
    assert not np.shares_memory(part.voxels, voxels)


@pytest.mark.parametrize(
    ("factors", "expected"), [((0.5, 0.5, 1), ((4, 10), (0, 6), (2, 4))), ((2, 1, 1), ((1, 3), (0, 3), (2, 4)))]
)
def test_a_box_on_a_finer_or_coarser_grid(factors, expected):
    box = (slice(2, 5), slice(0, 3), slice(2, 4))
    affine = np.diag([0.7, 0.7, 3, 1])
    other = rescaled_affine(affine, factors)
    found = box_on(box, affine, other, (20, 20, 20))
    assert tuple((side.start, side.stop) for side in found) == expected


def test_a_box_on_a_grid_with_other_axes():
    affine = np.eye(4)
    # The other grid counts z backwards first, then x, then y.
    other = np.array([[0, 1.0, 0, 0], [0, 0, 1.0, 0], [-1.0, 0, 0, 9], [0, 0, 0, 1]])
    box = box_on((slice(1, 3), slice(4, 9), slice(0, 2)), affine, other, (10, 10, 10))
    assert box == (slice(8, 10), slice(1, 3), slice(4, 9))
    assert nibabel.aff2axcodes(other) == ("I", "R", "A")


def test_what_lies_apart_gives_an_empty_box():
    far = np.eye(4)
    far[0, 3] = 100
    assert 0 in lengths(box_on(whole_box((5, 5, 5)), np.eye(4), far, (5, 5, 5)))


def test_the_farthest_sides_are_cut_first():
    box = (slice(0, 100), slice(0, 100), slice(0, 10))
    # 100 x 100 x 30 mm, half of the voxels: 70 x 70 x 30 mm, since 70.7 squared is half of 100 squared.
    assert shrunk(box, (1.0, 1.0, 3.0), 0.5) == (slice(15, 85), slice(15, 85), slice(0, 10))
    assert shrunk(box, (1.0, 1.0, 3.0), 1.0) == box
    assert lengths(shrunk(box, (1.0, 1.0, 3.0), 1e-9)) == (1, 1, 1)
