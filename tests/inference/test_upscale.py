"""One call for every kind of image: what comes back is of that kind, and other programs find it over the original."""

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel.processing import resample_from_to

import sr_keras
from sr_keras.engines import Images
from sr_keras.errors import ConfigurationError, StageError, VolumeError
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.models.stages import find_stage
from sr_keras.volumes.volume import Volume


class Linear:
    """An engine that interpolates linearly, which keeps a ramp a ramp. It has a name, so that it is timed once."""

    runtime = "linear"

    def __init__(self, name: str) -> None:
        self.name, self.card = name, find_stage(name).card

    def run(self, images: Images) -> Images:
        return interpolate(images, (1, 2, 2) if self.card.stage == "hw" else (1, 1, 2), "linear")


LINEAR = [Linear("georgescu2020_hw_x2"), Linear("georgescu2020_d_x2")]
TURN = np.array([[0.8, -0.6, 0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]])
AFFINES = {
    "axial": np.diag([1.0, 1, 2.5, 1]),
    "sagittal": np.array([[0, 0, 2.5, -60], [-1, 0, 0, 80], [0, -1, 0, 90], [0, 0, 0, 1.0]]),
    "oblique": np.block([[TURN * (1, 1, 2), np.array([[5.0], [-7], [11]])], [np.zeros((1, 3)), np.ones((1, 1))]]),
}
SHAPE = (14, 13, 12)


@pytest.fixture(params=AFFINES, ids=str)
def affine(request):
    return AFFINES[request.param]


def ramp_on(affine, shape=SHAPE):
    """A ramp in world coordinates: its values say where each voxel lies."""
    world = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return (world @ (1.0, 2.0, 3.0) + 500).astype(np.float32)


def assert_same_place(back, ramp):
    """Both are the ramp, to a hundredth of a voxel, away from the border."""
    inner = (slice(3, -3),) * 3
    voxel = min(abs(float(np.diff(ramp, axis=axis).mean())) for axis in range(3))
    assert np.abs(back - ramp)[inner].max() < 0.01 * voxel


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage])
def test_nibabel_finds_a_nibabel_image_over_its_original(kind, affine):
    image = kind(ramp_on(affine), affine)
    finer = sr_keras.upscale(image, models=LINEAR)
    assert type(finer) is kind
    assert (finer.shape, finer.get_data_dtype().kind, finer.get_data_dtype().itemsize) == ((28, 26, 24), "f", 4)
    assert_same_place(resample_from_to(finer, image, order=1).get_fdata(), image.get_fdata())


def test_simpleitk_finds_a_saved_nibabel_image_over_its_original(affine, tmp_path):
    image = nibabel.Nifti1Image(ramp_on(affine), affine)
    nibabel.save(image, tmp_path / "ramp.nii")
    nibabel.save(sr_keras.upscale(image, models=LINEAR), tmp_path / "finer.nii")
    ramp, finer = (SimpleITK.ReadImage(str(tmp_path / name)) for name in ("ramp.nii", "finer.nii"))
    back = SimpleITK.Resample(finer, ramp, SimpleITK.Transform(), SimpleITK.sitkLinear)
    assert_same_place(SimpleITK.GetArrayFromImage(back), SimpleITK.GetArrayFromImage(ramp))


def test_simpleitk_finds_a_simpleitk_image_over_its_original(affine, tmp_path):
    nibabel.save(nibabel.Nifti1Image(ramp_on(affine), affine), tmp_path / "ramp.nii")
    ramp = SimpleITK.ReadImage(str(tmp_path / "ramp.nii"))
    finer = sr_keras.upscale(ramp, (2, 2, 1), models=LINEAR[:1], slice_axis=2)
    assert isinstance(finer, SimpleITK.Image)
    assert (finer.GetSize(), finer.GetPixelID()) == ((28, 26, 12), SimpleITK.sitkFloat32)
    assert finer.GetDirection() == ramp.GetDirection()
    back = SimpleITK.Resample(finer, ramp, SimpleITK.Transform(), SimpleITK.sitkLinear)
    assert_same_place(SimpleITK.GetArrayFromImage(back), SimpleITK.GetArrayFromImage(ramp))
    old, new = (
        [image.TransformContinuousIndexToPhysicalPoint([n - 0.5 for n in corner]) for corner in corners]
        for image, corners in ((ramp, [(0, 0, 0), ramp.GetSize()]), (finer, [(0, 0, 0), finer.GetSize()]))
    )
    np.testing.assert_allclose(new, old, atol=1e-5)


def test_an_array_and_a_volume_lie_where_their_affine_says(affine):
    ramp = ramp_on(affine)
    volume = sr_keras.upscale(Volume(ramp, affine), models=LINEAR)
    assert isinstance(volume, Volume)
    assert_same_place(volume.voxels, ramp_on(volume.affine, volume.shape))
    finer = sr_keras.upscale(ramp, affine=affine, models=LINEAR)
    assert isinstance(finer, np.ndarray)
    np.testing.assert_array_equal(finer, volume.voxels)


@pytest.fixture(scope="module")
def ways(small_scan):
    """The same scan as every kind of image, and the voxels (i, j, k) of its result."""
    image = nibabel.load(small_scan)
    arrays = {
        "path": (small_scan, {}, lambda result: result.voxels),
        "text": (str(small_scan), {}, lambda result: result.voxels),
        "nibabel": (image, {}, lambda result: np.asarray(result.dataobj)),
        "SimpleITK": (
            SimpleITK.ReadImage(str(small_scan)),
            {},
            lambda result: SimpleITK.GetArrayFromImage(result).transpose(2, 1, 0),
        ),
        "array and affine": (np.asarray(image.dataobj), {"affine": image.affine}, np.asarray),
        "array and spacing": (np.asarray(image.dataobj), {"spacing": image.header.get_zooms()}, np.asarray),
        "Volume": (sr_keras.read_volume(small_scan), {}, lambda result: result.voxels),
    }
    with pytest.warns(UserWarning, match="^scan looks noisy or aliased along ij"):
        return {
            name: voxels(sr_keras.upscale(each, quality="georgescu2020", **options))
            for name, (each, options, voxels) in arrays.items()
        }


@pytest.mark.parametrize("way", ["text", "nibabel", "SimpleITK", "array and affine", "array and spacing", "Volume"])
def test_the_result_is_the_same_whatever_the_kind(ways, way):
    assert ways["path"].shape == (96, 80, 48)
    assert ways[way].dtype == np.float32
    np.testing.assert_array_equal(ways[way], ways["path"])


def test_what_a_path_gives_is_written_with_the_header_of_its_scan(small_scan, tmp_path):
    with pytest.warns(UserWarning, match="noisy or aliased"):
        result = sr_keras.upscale(small_scan, 2, models=LINEAR)
    sr_keras.write_volume(result, tmp_path / "out.nii.gz")
    scan, written = nibabel.load(small_scan), nibabel.load(tmp_path / "out.nii.gz")
    assert written.get_data_dtype() == scan.get_data_dtype()
    assert written.header["sform_code"] == scan.header["sform_code"]
    np.testing.assert_allclose(written.affine, result.affine, atol=1e-5)
    assert np.abs(written.get_fdata() - result.voxels).max() <= 0.5


def test_a_nifti_image_keeps_its_codes_and_units():
    image = nibabel.Nifti1Image(ramp_on(np.eye(4)), np.eye(4))
    image.header.set_xyzt_units("micron")
    image.set_qform(np.diag([900, 900, 900, 1]), 1)
    image.set_sform(np.diag([900, 900, 900, 1]), 4)
    finer = sr_keras.upscale(image, models=LINEAR)
    assert (int(finer.header["qform_code"]), int(finer.header["sform_code"])) == (1, 4)
    assert finer.header.get_xyzt_units()[0] == "micron"
    np.testing.assert_allclose(finer.header.get_zooms(), [450, 450, 450])


def test_a_spacing_is_that_of_the_result_and_of_a_bare_array_its_own():
    ramp = ramp_on(np.eye(4))
    volume = Volume(ramp, np.eye(4))
    assert sr_keras.upscale(volume, spacing=0.5, models=LINEAR).spacing == pytest.approx((0.5, 0.5, 0.5))
    assert sr_keras.upscale(ramp, affine=np.eye(4), spacing=(0.5, 0.5, 1), models=LINEAR).shape == (28, 26, 12)
    assert sr_keras.upscale(ramp, spacing=(0.5, 0.5, 1), models=LINEAR).shape == (28, 26, 24)


def test_progress_is_called_and_the_slice_axis_is_kept():
    calls = []
    volume = Volume(ramp_on(np.eye(4)), np.eye(4))
    sr_keras.upscale(volume, (1, 2, 2), models=LINEAR[:1], slice_axis=0, progress=lambda *news: calls.append(news))
    assert calls[-1][1] == calls[-1][2] > 0
    sr_keras.upscale(volume, (1, 2, 2), models=LINEAR[:1], slice_axis=0, progress=True)


RAMP = ramp_on(np.eye(4))


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (RAMP, {}, ConfigurationError, r"^An array does not say how large its voxels are; give affine= or spacing="),
        (Volume(RAMP, np.eye(4)), {"affine": np.eye(4)}, ConfigurationError, "^affine= is for NumPy arrays"),
        (Volume(RAMP, np.eye(4)), {"scale": 2, "spacing": 1}, ConfigurationError, "^Give scale or spacing, not both"),
        (RAMP, {"spacing": (1, 2)}, ConfigurationError, r"^Give one number, or one for each of three axes. .*\(1, 2\)"),
        (Volume(RAMP, np.eye(4)), {"scale": "2x2"}, ConfigurationError, "^Give one number, .* Received: '2x2'"),
        (RAMP.astype(complex), {"spacing": 1}, VolumeError, "^the array has dtype complex128; convert it"),
        (RAMP[0], {"spacing": 1}, VolumeError, "^the array has the shape 13x12; extract one"),
        ([1, 2, 3], {}, VolumeError, "^A list is no scan; give a path, a nibabel or SimpleITK image"),
        ("nowhere.nii", {}, VolumeError, "^nowhere.nii does not exist"),
        (nibabel.Nifti1Image(np.zeros((4, 4, 4, 2)), np.eye(4)), {}, VolumeError, "^the image has 4 axes, 4x4x4x2"),
        (
            nibabel.Nifti1Image(RAMP, None),
            {},
            VolumeError,
            "^the image has no affine, .*; make it with one, or give its",
        ),
        (nibabel.MGHImage(RAMP.astype(np.float32), None), {}, VolumeError, "^the image has no affine"),
        (RAMP, {"spacing": 1, "noise": "loud"}, ConfigurationError, "^The noise must be keep, reduce or a number from"),
        (RAMP, {"spacing": 1, "noise": None}, ConfigurationError, "^The noise must be keep, reduce or a number from"),
        (SimpleITK.Image(8, 8, SimpleITK.sitkFloat32), {}, VolumeError, "^The image has 2 axes and 1 values a voxel"),
        (
            SimpleITK.Image([8, 8, 8], SimpleITK.sitkVectorUInt8, 3),
            {},
            VolumeError,
            "^The image has 3 axes and 3 values",
        ),
        (RAMP, {"spacing": 1, "quality": "fast", "models": LINEAR}, ConfigurationError, "^Give models or quality"),
        (
            RAMP,
            {"spacing": 1, "models": "fast_hw_x2"},
            ConfigurationError,
            "^models is a list, .* Received: fast_hw_x2",
        ),
        (RAMP, {"spacing": 1, "quality": "finest"}, StageError, "^No hw or d stage of finest ships"),
    ],
)
def test_what_cannot_be_super_resolved_is_refused(image, options, error, message):
    with pytest.raises(error, match=message):
        sr_keras.upscale(image, **options)


def test_the_noise_is_a_number_or_one_of_the_words_of_the_command_line(small_scan):
    word, number, kept = (
        sr_keras.upscale(small_scan, (2, 2, 1), models=["fast_hw_x2"], noise=noise).voxels
        for noise in ("reduce", 0.5, 1)
    )
    np.testing.assert_array_equal(word, number)
    assert np.abs(word - kept).max() > 0
