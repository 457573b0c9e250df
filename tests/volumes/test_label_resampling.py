"""Label maps: ITK's generic label interpolator is the other program."""

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.label_resampling import resample_labels


def blocks(dtype=np.int16):
    """A map of 24 labels with ragged borders, and single voxels of another one."""
    random = np.random.default_rng(1)
    labels = np.kron(random.integers(0, 24, (6, 5, 5)), np.ones((5, 6, 5), int))
    labels[random.random(labels.shape) < 0.02] = 200
    return labels.astype(dtype)


def resampled(labels, shape, to_source, interpolation="majority"):
    result = np.empty(shape, labels.dtype)
    for span, slab in resample_labels(labels, shape, to_source, interpolation):
        result[:, :, span] = slab
    return result


def by_itk(labels, shape, to_source, kind):
    image = SimpleITK.GetImageFromArray(labels.T)
    grid = SimpleITK.Image([int(length) for length in shape], SimpleITK.sitkInt16)
    spacing = np.linalg.norm(to_source[:3, :3], axis=0)
    grid.SetSpacing(spacing)
    grid.SetDirection((to_source[:3, :3] / spacing).ravel())
    grid.SetOrigin(to_source[:3, 3])
    return SimpleITK.GetArrayFromImage(SimpleITK.Resample(image, grid, SimpleITK.Transform(), kind, 0)).T


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 1, 4), (2.4, 2.4, 1)])
@pytest.mark.parametrize(
    ("interpolation", "kind"), [("majority", SimpleITK.sitkLabelLinear), ("nearest", SimpleITK.sitkNearestNeighbor)]
)
def test_labels_are_those_of_itk_inside(factors, interpolation, kind):
    labels = blocks()
    shape = tuple(int(length * factor) for length, factor in zip(labels.shape, factors, strict=True))
    to_source = rescaled_affine(np.eye(4), [1 / factor for factor in factors])
    ours = resampled(labels, shape, to_source, interpolation)
    # Ties are decided otherwise.
    assert (ours != by_itk(labels, shape, to_source, kind))[4:-4, 4:-4, 4:-4].mean() < 2e-3


def test_labels_on_turned_axes_are_those_of_itk():
    labels = blocks()
    to_source = np.array([[0.57, -0.18, 0, 5.013], [0.18, 0.57, 0, 1.017], [0, 0, 0.71, 2.019], [0, 0, 0, 1]])
    ours = resampled(labels, (30, 30, 24), to_source)
    assert (ours != by_itk(labels, (30, 30, 24), to_source, SimpleITK.sitkLabelLinear)).mean() < 5e-3


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "int64"])
def test_the_same_grid_gives_the_same_labels(dtype):
    labels = blocks(dtype)
    np.testing.assert_array_equal(resampled(labels, labels.shape, np.eye(4)), labels)
    assert resampled(labels, labels.shape, np.eye(4)).dtype == labels.dtype


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(-5, 300), min_size=1, max_size=6),
    steps=st.tuples(*[st.floats(0.2, 4)] * 3),
    shift=st.floats(-3, 3),
    interpolation=st.sampled_from(["majority", "nearest"]),
    seed=st.integers(0, 1000),
)
def test_no_value_is_invented(values, steps, shift, interpolation, seed):
    labels = np.random.default_rng(seed).choice(np.array(values, np.int16), (5, 6, 4))
    to_source = rescaled_affine(np.eye(4), steps)
    to_source[0, 3] += shift
    result = resampled(labels, (7, 5, 6), to_source, interpolation)
    assert set(np.unique(result)) <= {*values, 0}


def test_a_corner_is_smoothed_and_a_half_plane_kept():
    half = np.zeros((8, 8, 8), np.uint8)
    half[:, 4:] = 3
    doubled = resampled(half, (16, 16, 16), rescaled_affine(np.eye(4), (0.5,) * 3))
    np.testing.assert_array_equal(doubled, half.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    quarter = half.copy()
    quarter[:4] = 0
    doubled = resampled(quarter, (16, 16, 16), rescaled_affine(np.eye(4), (0.5,) * 3))
    # At the corner of a quarter 0.75 x 0.75 is more than half: it stays; a single voxel would not, 0.75^3.
    assert doubled[8, 8, 8] == 3
    single = np.zeros((5, 5, 5), np.uint8)
    single[2, 2, 2] = 9
    assert not resampled(single, (10, 10, 10), rescaled_affine(np.eye(4), (0.5,) * 3)).any()
    assert (resampled(single, (10, 10, 10), rescaled_affine(np.eye(4), (0.5,) * 3), "nearest") == 9).sum() == 8


def test_a_coarser_grid_takes_the_label_with_the_largest_share():
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[:3] = 1
    labels[::3, ::3, ::3] = 2
    coarse = resampled(labels, (2, 2, 2), rescaled_affine(np.eye(4), (3, 3, 3)))
    assert coarse[0].tolist() == [[1, 1], [1, 1]]
    assert coarse[1].tolist() == [[0, 0], [0, 0]]
