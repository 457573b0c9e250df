"""Enlarging a whole volume. Geometry is held by an engine whose answer is known, and read back by other programs."""

from functools import cached_property

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel.processing import resample_from_to
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from sr_keras.engines import Images, KerasEngine
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.evaluation.interpolation import interpolate
from sr_keras.inference import upscaler
from sr_keras.inference.jobs import PredictionJob
from sr_keras.inference.timing import Timing
from sr_keras.inference.upscaler import Upscaler
from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.models.registry import choose_stages
from sr_keras.models.stages import shipped_stages
from sr_keras.volumes.resampling import downsample_volume
from sr_keras.volumes.volume import Volume

SHIPPED = choose_stages(shipped_stages(), "georgescu2020")


class Linear:
    """An engine that interpolates linearly, which keeps a ramp a ramp."""

    def __init__(self, name: str) -> None:
        self.card = SHIPPED[name].card

    def run(self, images: Images) -> Images:
        return interpolate(images, (1, 2, 2) if self.card.stage == "hw" else (1, 1, 2), "linear")


LINEAR = Upscaler([Linear("georgescu2020_hw_x2"), Linear("georgescu2020_d_x2")])
TRAINED = Upscaler([KerasEngine(stage) for stage in SHIPPED.values()])

TURN = np.array([[0.8, -0.6, 0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]])
AFFINES = {
    "axial": np.diag([1.0, 1, 2.5, 1]),
    "sagittal": np.array([[0, 0, 2.5, -60], [-1, 0, 0, 80], [0, -1, 0, 90], [0, 0, 0, 1.0]]),
    "flipped": np.array([[-1.5, 0, 0, 40], [0, -1.5, 0, 50], [0, 0, 2, -30], [0, 0, 0, 1.0]]),
    "oblique": np.block([[TURN * (1, 1, 2), np.array([[5.0], [-7], [11]])], [np.zeros((1, 3)), np.ones((1, 1))]]),
}


@pytest.fixture(params=AFFINES, ids=str)
def ramp_files(request, tmp_path):
    """A ramp in world coordinates, and what it becomes at x2, as files."""
    affine, shape = AFFINES[request.param], (24, 22, 20)
    world = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    ramp = (world @ (1.0, 2.0, 3.0) + 500).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(ramp, affine), tmp_path / "ramp.nii")
    volume = read_volume(tmp_path / "ramp.nii")
    write_volume(LINEAR.upscale(volume, (2, 2, 2)), tmp_path / "finer.nii", like=volume)
    return tmp_path / "ramp.nii", tmp_path / "finer.nii"


def largest_shift(back: np.ndarray, ramp: np.ndarray) -> float:
    """Return the largest difference of a ramp from another, in voxels, away from the border."""
    inner = (slice(3, -3),) * 3
    voxel = min(abs(float(np.diff(ramp, axis=axis).mean())) for axis in range(3))
    return float(np.abs(back - ramp)[inner].max()) / voxel


def test_nibabel_finds_the_output_over_the_input(ramp_files):
    ramp, finer = map(nibabel.load, ramp_files)
    back = resample_from_to(finer, ramp, order=1).get_fdata()
    assert largest_shift(back, ramp.get_fdata()) < 0.01


def test_simpleitk_finds_the_output_over_the_input(ramp_files):
    ramp, finer = (SimpleITK.ReadImage(str(path)) for path in ramp_files)
    back = SimpleITK.Resample(finer, ramp, SimpleITK.Transform(), SimpleITK.sitkLinear)
    assert largest_shift(SimpleITK.GetArrayFromImage(back), SimpleITK.GetArrayFromImage(ramp)) < 0.01
    old, new = (
        [image.TransformContinuousIndexToPhysicalPoint([n - 0.5 for n in corner]) for corner in corners]
        for image, corners in (
            (ramp, [(0, 0, 0), ramp.GetSize()]),
            (finer, [(0, 0, 0), finer.GetSize()]),
        )
    )
    np.testing.assert_allclose(new, old, atol=1e-3)


@pytest.mark.parametrize("factors", [(2, 2, 1), (1, 1, 2)])
def test_trained_networks_do_not_shift_a_real_scan(sample, factors):
    crop = Volume(sample.voxels[60:108, 20:60, 40:72], sample.affine)
    back = TRAINED.upscale(crop, factors).voxels
    for axis, factor in enumerate(factors):
        back = back.reshape(*back.shape[:axis], -1, factor, *back.shape[axis + 1 :]).mean(axis=axis + 1)
    shift, _, _ = phase_cross_correlation(crop.voxels, back, upsample_factor=100)
    assert np.abs(shift).max() <= 0.01


def test_metal_is_not_clipped():
    i, j, _ = np.indices((96, 96, 2)) - 47.5
    radius = np.hypot(i, j)
    head = np.select([radius < 8, radius < 36], [15_000, 40], -1000).astype(np.float32)
    ground_truth = gaussian_filter(head, (1, 1, 0))
    reduced = Volume(downsample_volume(ground_truth, (2, 2, 1)), np.eye(4))
    assert reduced.modality == "CT"
    enlarged = TRAINED.upscale(reduced, (2, 2, 1)).voxels
    np.testing.assert_allclose(enlarged[radius < 6], 15_000, rtol=0.03)
    np.testing.assert_allclose(enlarged[(radius > 16) & (radius < 32)], 40, atol=150)


def test_padding_below_the_scale_of_a_ct_comes_back():
    voxels = np.full((32, 32, 2), -3024, np.int16)
    voxels[8:24, 8:24] = -1000
    enlarged = TRAINED.upscale(Volume(voxels, np.eye(4)), (2, 2, 1)).voxels
    assert np.abs(enlarged[:12] - -3024).max() < 15
    assert np.abs(enlarged[24:40, 24:40] - -1000).max() < 40


@pytest.mark.parametrize("value", [-1024, 0, 7])
def test_a_constant_volume_stays_what_it_is(value):
    enlarged = TRAINED.upscale(Volume(np.full((16, 16, 16), value, np.int16), np.eye(4)), (2, 2, 2))
    assert enlarged.shape == (32, 32, 32)
    assert (enlarged.voxels == value).all()


def test_the_same_input_gives_the_same_output(sample):
    crop = Volume(sample.voxels[60:92, 20:52, 40:72], sample.affine)
    np.testing.assert_array_equal(TRAINED.upscale(crop, (2, 2, 2)).voxels, TRAINED.upscale(crop, (2, 2, 2)).voxels)


@pytest.mark.parametrize(
    ("spacing", "shape"), [((0.5, 0.5, 0.5), (48, 40, 96)), ((0.8, 0.8, 2), (30, 25, 24)), ((1, 1, 1.5), (24, 20, 32))]
)
def test_a_spacing_is_reached_and_a_ramp_keeps_its_place(spacing, shape):
    ramp = np.indices((24, 20, 24))[0].astype(np.float32) * 10
    volume = Volume(ramp, np.diag([1.0, 1, 2, 1]))
    result = LINEAR.upscale(volume, spacing=spacing)
    assert (result.shape, result.spacing) == (shape, pytest.approx(spacing))
    world = result.affine[0, 0] * np.arange(shape[0]) + result.affine[0, 3]
    np.testing.assert_allclose(result.voxels[6:-6, 5, 5], world[6:-6] * 10, atol=0.05)


@pytest.mark.parametrize(
    ("shape", "factors", "message"),
    [
        (
            (7, 30, 30),
            (2, 2, 1),
            r"7x30x30 voxels are too few for hw x2 on ij, which needs 8 along .*; use a larger scan\.$",
        ),
        (
            (30, 30, 6),
            (2, 2, 2),
            r"30x30x6 voxels are too few for d x2 on k, which needs 10 along .*; use --scale 2x2x1\.$",
        ),
    ],
)
def test_slices_smaller_than_the_receptive_field_are_refused(shape, factors, message):
    voxels = np.random.default_rng(0).random(shape)
    with pytest.raises(VolumeError, match=message):
        TRAINED.upscale(Volume(voxels, np.eye(4)), factors)


def test_a_result_larger_than_memory_is_refused_before_it_is_begun():
    voxels = np.broadcast_to(np.float32(1), (3000, 3000, 3000))
    with pytest.raises(
        VolumeError,
        match=r"memory: this needs at least 57.1 TB of memory, .* may be used; allow more",
    ):
        TRAINED.upscale(Volume(voxels, np.eye(4), "MR"), (8, 8, 8))


def test_no_stage_no_scale():
    with pytest.raises(ConfigurationError, match="no trained stage to super-resolve with; name one with --model"):
        Upscaler([]).upscale(Volume(np.zeros((9, 9, 9)), np.eye(4)), (2, 2, 2))


@pytest.mark.usefixtures("resident_memory")
def test_what_consistency_takes_is_planned():
    volume, factors = Volume(np.ones((40, 40, 40), np.float32), np.eye(4)), (2, 2, 1)
    plain, data_consistency = (
        Upscaler(LINEAR.engines, data_consistency=wanted).prepare(volume, factors, memory=10**12).plan.peak_bytes
        for wanted in (False, True)
    )
    # Four float32 copies of the scan.
    assert data_consistency - plain == 4 * 4 * 40**3


def test_a_size_is_priced_once(monkeypatch):
    priced = []
    monkeypatch.setattr("sr_keras.inference.upscaler.timing_of", lambda *size: priced.append(size) or Timing(1, 1.0))
    ramp = np.arange(40 * 41 * 42, dtype=np.float32).reshape(40, 41, 42)
    LINEAR.prepare(Volume(ramp, np.eye(4)), (2, 2, 2), slice_axis=2)
    assert [size for _, *size in priced] == [[41, 42], [40, 42], [40, 41]]


@pytest.mark.parametrize("axis", [-1, 3, 7])
def test_the_slice_axis_is_one_of_three(axis):
    with pytest.raises(ConfigurationError, match=f"The slice axis must be 0, 1 or 2. Received: {axis}"):
        LINEAR.prepare(Volume(np.zeros((9, 9, 9)), np.eye(4)), slice_axis=axis)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e302])
def test_voxels_that_float32_does_not_hold_are_refused(value):
    voxels = np.zeros((20, 20, 20))
    voxels[3, 4, 5] = value
    with pytest.raises(VolumeError, match=r"memory: voxels range from .* beyond what float32 holds; repair or rescale"):
        LINEAR.upscale(Volume(voxels, np.eye(4), "MR"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factors": (2, 2)}, "A scale has one factor for each of three axes, from 1 to 8, not 2x2; for a coarser"),
        (
            {"factors": (0, 2, 2)},
            "A scale has one factor for each of three axes, from 1 to 8, not 0x2x2; for a coarser",
        ),
        (
            {"factors": (9, 1, 1)},
            "A scale has one factor for each of three axes, from 1 to 8, not 9x1x1; for a coarser",
        ),
        ({"spacing": (1, 0, 1)}, "A spacing must be three numbers of mm above zero"),
        ({"spacing": (1, 1)}, "A spacing must be three numbers of mm above zero"),
    ],
)
def test_grids_that_cannot_be(options, message):
    with pytest.raises(ConfigurationError, match=message):
        LINEAR.prepare(Volume(np.zeros((20, 20, 20)), np.eye(4)), **options)


def test_without_a_d_stage_the_message_says_so():
    hw_alone = Upscaler(LINEAR.engines[:1])
    for axis, scale in ((2, "2x2x1"), (0, "1x2x2")):
        with pytest.raises(ConfigurationError, match=f"2x2x2 needs a d stage too; add one with --model or .* {scale}"):
            hw_alone.prepare(Volume(np.zeros((20, 20, 20)), np.eye(4)), slice_axis=axis)


def test_a_flat_scan_gets_advice_that_works():
    flat = Volume(np.random.default_rng(0).random((1, 32, 20), np.float32), np.eye(4))
    with pytest.raises(VolumeError, match=r"1x32x20 voxels are too few .*; use --scale 1x2x2\.$"):
        LINEAR.prepare(flat)
    assert LINEAR.upscale(flat, (1, 2, 2)).shape == (1, 64, 40)


@pytest.mark.usefixtures("resident_memory")
def test_a_spacing_is_priced_before_anything_is_made():
    volume = Volume(np.random.default_rng(0).random((48, 48, 32), np.float32), np.eye(4))
    with pytest.raises(
        VolumeError, match=r"needs at least 1.*TB of memory|needs at least .* GB of memory, 4.0 GB may be used"
    ):
        LINEAR.prepare(volume, spacing=(0.01, 0.01, 0.01), memory=4 * 10**9)
    small = Volume(volume.voxels[:24, :24, :16], np.eye(4))
    plain, fine, finer = (
        LINEAR.prepare(small, spacing=(size,) * 3, memory=10**13, stream=True).plan for size in (0.125, 0.05, 0.02)
    )
    # The networks make 192x192x128 voxels each time. At least forty planes of the result are resampled at once.
    assert fine.peak_bytes - plain.peak_bytes > 4 * 40 * 480 * 480 - 10**7
    assert finer.peak_bytes - fine.peak_bytes > 4 * 40 * (1200**2 - 480**2) - 10**7
    # 1200x1200x800 voxels for 480x480x320: 15.6 times as many, most of the time.
    assert finer.total_seconds - finer.seconds > 10 * (fine.total_seconds - fine.seconds) > 0


def test_a_field_of_view_that_a_spacing_does_not_divide_is_said():
    job = LINEAR.prepare(Volume(np.zeros((48, 48, 48), np.int16), np.diag([1.01, 1, 1, 1])), spacing=(1, 1, 1))
    assert job.summary == "48x48x48 voxels of 1x1x1 mm, MR, field of view 48 instead of 48.48 mm along i"


def test_a_job_is_worked_out_once(monkeypatch, small_scan, tmp_path):
    """`predict` plans its steps and its resources once, and looks for the least and greatest voxel once."""
    calls = []

    def counting(name, real):
        return lambda *arguments, **options: (calls.append(name), real(*arguments, **options))[1]

    for name in ("plan_steps", "plan_within_budget", "output_grid"):
        real = getattr(upscaler, name)
        monkeypatch.setattr(
            upscaler, name, lambda *a, real=real, name=name, **k: (calls.append(name), real(*a, **k))[1]
        )
    counted = cached_property(counting("value_range", Volume.__dict__["value_range"].func))
    counted.__set_name__(Volume, "value_range")
    monkeypatch.setattr(Volume, "value_range", counted)
    PredictionJob(LINEAR).run(small_scan, tmp_path / "out.nii")
    assert sorted(calls) == ["output_grid", "plan_steps", "plan_within_budget", "value_range"]


def test_two_engines_of_one_stage_and_scale_are_refused():
    message = r"Two engines are for one stage and scale \(hw x2, d x2, hw x2\); leave one out"
    with pytest.raises(ConfigurationError, match=message):
        Upscaler([Linear(name) for name in ("georgescu2020_hw_x2", "georgescu2020_d_x2", "georgescu2020_hw_x2")])
