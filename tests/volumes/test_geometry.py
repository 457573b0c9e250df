import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.errors import VolumeError
from sr_keras.volumes.geometry import checked_affine, format_spacing, rescaled_affine, through_plane_axis

ROOT3 = 3**0.5

# Worked out by hand: the affine, the factors, the new origin, the new spacing. A voxel cut in two has its first
# half a quarter of a voxel before its centre; four times, three eighths.
BY_HAND = [
    pytest.param(np.diag([2.0, 2, 2, 1]), (2, 2, 2), (-0.5, -0.5, -0.5), (1, 1, 1), id="axial"),
    pytest.param(np.diag([1.0, 1, 3, 1]), (2, 2, 1), (-0.25, -0.25, 0), (0.5, 0.5, 3), id="in-plane only"),
    pytest.param(np.diag([1.0, 1, 4, 1]), (1, 1, 4), (0, 0, -1.5), (1, 1, 1), id="through-plane x4"),
    pytest.param(
        [[-2, 0, 0, 90], [0, -2, 0, 126], [0, 0, 2, -72], [0, 0, 0, 1]],
        (2, 2, 2),
        (90.5, 126.5, -72.5),
        (1, 1, 1),
        id="flipped to LPS",
    ),
    pytest.param(
        [[0, 0, 1, -80], [-2, 0, 0, 100], [0, -2, 0, 120], [0, 0, 0, 1]],
        (2, 4, 1),
        (-80, 100.5, 120.75),
        (1, 0.5, 1),
        id="sagittal",
    ),
    pytest.param(
        [[ROOT3, -1, 0, 10], [1, ROOT3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]],
        (2, 2, 1),
        (10 - 0.25 * (ROOT3 - 1), 20 - 0.25 * (1 + ROOT3), 30),
        (1, 1, 4),
        id="oblique by 30 degrees",
    ),
]


@pytest.mark.parametrize(("affine", "factors", "origin", "spacing"), BY_HAND)
def test_rescaled_affine_by_hand(affine, factors, origin, spacing):
    rescaled = rescaled_affine(affine, [1 / factor for factor in factors])
    np.testing.assert_allclose(rescaled[:3, 3], origin, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rescaled[:3, :3], axis=0), spacing, atol=1e-12)


@given(
    angle=st.floats(-3, 3),
    spacing=st.lists(st.floats(0.1, 10), min_size=3, max_size=3),
    lengths=st.lists(st.integers(1, 500), min_size=3, max_size=3),
    factors=st.lists(st.sampled_from([1, 2, 3, 4, 8]), min_size=3, max_size=3),
)
def test_both_outer_corners_stay_put(angle, spacing, lengths, factors):
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = (-30, 40, 50)
    rescaled = rescaled_affine(affine, [1 / factor for factor in factors])
    new_lengths = np.multiply(lengths, factors)
    for old, new in ((np.full(3, -0.5), np.full(3, -0.5)), (np.array(lengths) - 0.5, new_lengths - 0.5)):
        np.testing.assert_allclose((affine @ [*old, 1])[:3], (rescaled @ [*new, 1])[:3], atol=1e-6)


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [((1, 1, 3), 2), ((3, 1, 1), 0), ((1, 3, 1), 1), ((1, 1, 1), 2), ((1.15, 1.15, 1), 2), ((1.0001, 1, 1), 2)],
)
def test_through_plane_axis(spacing, axis):
    assert through_plane_axis(spacing) == axis


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.diag([1.0, 0, 1, 1]), "spacing must be above zero, not 1x0x1 mm; repair"),
        ([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "must be invertible"),
        (np.diag([1.0, np.nan, 1, 1]), "4 x 4 finite numbers"),
        (np.eye(3), "4 x 4 finite numbers"),
    ],
)
def test_affines_without_an_inverse_are_refused(affine, message):
    with pytest.raises(VolumeError, match=message):
        checked_affine(affine)


def test_format_spacing():
    assert format_spacing((0.7, 0.69999999, 1.5)) == "0.7x0.7x1.5"
