import numpy as np
import pytest

from sr_keras.errors import VolumeError
from sr_keras.volumes.volume import Volume

VOXELS = np.zeros((3, 4, 5), np.int16)


def test_what_a_volume_knows_of_itself():
    affine = np.array([[-2.0, 0, 0, 0], [0, 0, 3, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    volume = Volume(VOXELS, affine)
    assert volume.shape == (3, 4, 5)
    assert volume.spacing == (2, 1, 3)
    assert volume.axis_codes == ("L", "S", "A")
    assert volume.summary == "3x4x5 voxels of 2x1x3 mm, MR"


@pytest.mark.parametrize(("minimum", "modality"), [(-1024, "CT"), (-501, "CT"), (-100, "MR"), (0, "MR")])
def test_modality_is_told_from_the_air(minimum, modality):
    voxels = VOXELS.copy()
    voxels[0, 0, 0] = minimum
    assert Volume(voxels, np.eye(4)).modality == modality
    assert Volume(voxels, np.eye(4), "MR").modality == "MR"


def test_a_volume_cannot_be_changed():
    volume = Volume(VOXELS.copy(), np.eye(4))
    for array in (volume.voxels, volume.affine):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert VOXELS.flags.writeable


@pytest.mark.parametrize(
    ("voxels", "message"),
    [
        (np.zeros((4, 4)), "^memory has the shape 4x4; extract one three-dimensional volume"),
        (np.zeros((4, 4, 4, 2)), "has the shape 4x4x4x2; extract one"),
        (np.zeros((4, 0, 4)), "has the shape 4x0x4; extract one"),
        (
            np.zeros((4, 4, 4), complex),
            "has dtype complex128; convert it to one integer or float",
        ),
        (
            np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]),
            "colour data with the channels R, G, B; convert",
        ),
    ],
)
def test_what_is_no_volume(voxels, message):
    with pytest.raises(VolumeError, match=message):
        Volume(voxels, np.eye(4))
