"""What a figure shows: checked on volumes whose voxels hold their own place in the world."""

import re
from itertools import permutations, product

import numpy as np
import pytest
from nibabel.affines import apply_affine

from sr_keras.errors import OutputError
from sr_keras.evaluation.figure import DETAIL, _detail, draw_figure
from sr_keras.evaluation.protocol import compare_methods, score
from sr_keras.volumes.volume import Volume

SHAPE = (28, 24, 20)
# Along i, j, k: which world axis each grows along, and its sign.
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))
PLUS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def world_of(detail, affine):
    """Return the world coordinates in mm of each voxel of a window: (to the right, upwards, xyz)."""
    coordinates = apply_affine(affine, np.moveaxis(np.indices(SHAPE), 0, -1))
    return np.stack([detail.cut(coordinates[..., axis]) for axis in range(3)], axis=-1)


@pytest.mark.parametrize("task", ["in-plane", "through-plane"])
@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_letters_slice_and_bar_are_those_of_the_voxels_shown(axes, signs, task):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world, axis] = sign * (0.5, 0.7, 3.0)[axis]
    volume = Volume(np.ones(SHAPE, np.float32), affine)
    detail = _detail(compare_methods(volume, task, 2, {}))
    shown = world_of(detail, affine)
    left, right, down, up = detail.letters
    for place, (start, end) in enumerate(((left, right), (down, up))):
        world, sign = PLUS[end]
        assert PLUS[start] == (world, -sign)
        steps = np.diff(shown[..., world], axis=place)
        np.testing.assert_allclose(steps, sign * detail.spacing[place])
    # Radiologists see the patient's right, or the front of the patient, on their left.
    assert (left, up) in {("R", "A"), ("R", "S"), ("A", "S")}
    name, index = detail.title.split(" slice ")[1].split(" = ")
    across, index = "ijk".index(name), int(index.split()[0])
    assert across == (0 if task == "through-plane" else 2)
    corner = apply_affine(affine, np.eye(3)[across] * index)
    world = axes[across]
    np.testing.assert_allclose(shown[..., world], corner[world])


def test_the_slice_lies_in_the_middle_of_the_tissue():
    voxels = np.zeros((100, 90, 80), np.float32)
    voxels[60:70, 40:50, 11] = 1
    detail = _detail(compare_methods(Volume(voxels, np.diag([-1.0, 1, 1, 1])), "in-plane", 2, {}))
    assert "axial slice k = 11 (of 80)" in detail.title
    assert detail.cut(voxels).shape == (DETAIL, DETAIL)
    assert detail.cut(voxels).sum() == voxels.sum()


def texts(path):
    """Return an SVG, in whose comments matplotlib repeats every text."""
    return path.read_text()


def test_the_figure_of_a_ct_states_its_window(tmp_path):
    voxels = np.random.default_rng(0).integers(-1024, 300, (24, 24, 12)).astype(np.int16)
    volume = Volume(voxels, np.diag([0.8, 0.8, 2, 1]), source="/somewhere/$a_1$ 头 ct.nii.gz")
    comparison = compare_methods(volume, "in-plane", 2, {})
    draw_figure(comparison, score(comparison), tmp_path / "figure.svg")
    svg = texts(tmp_path / "figure.svg")
    assert "$a_1$ 头 ct.nii.gz, in-plane 2x2x1, axial slice k = " in svg
    assert "somewhere" not in svg
    assert "grey values from -160 to 240 HU (soft-tissue window)" in svg
    assert "error HU" in svg
    assert "5 mm" in svg


def test_methods_have_the_psnr_of_the_detail_alone(tmp_path):
    # 160 x 160 with noise in the middle 80 x 80 alone: the detail has all of the errors of a slice, on a quarter of it.
    voxels = np.full((160, 160, 12), 500.0, np.float32)
    voxels[40:120, 40:120] += np.random.default_rng(0).normal(0, 100, (80, 80, 12)).astype(np.float32)
    comparison = compare_methods(Volume(voxels, np.eye(4), modality="MR"), "in-plane", 2, {})
    scores = score(comparison)
    assert "axial slice" in draw_figure(comparison, scores, tmp_path / "figure.svg")
    (mean, here), *_ = re.findall(r"([\d.]+) dB, here ([\d.]+) dB", texts(tmp_path / "figure.svg"))
    assert float(mean) - float(here) == pytest.approx(10 * np.log10(4), abs=0.3)


@pytest.mark.parametrize("task", ["in-plane", "through-plane", "3-D"])
def test_the_figure_of_an_mri_is_a_picture(sample, task, tmp_path):
    crop = Volume(sample.voxels[60:109, 20:61, 40:73], sample.affine, source="crop")
    comparison = compare_methods(crop, task, 2, {})
    draw_figure(comparison, score(comparison), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match=r"figure.png exists; use --force to overwrite"):
        draw_figure(comparison, score(comparison), tmp_path / "figure.png", force=False)
    with pytest.raises(OutputError, match=r"figure.nii is no picture; name a file with a suffix such as .png"):
        draw_figure(comparison, [], tmp_path / "figure.nii")
