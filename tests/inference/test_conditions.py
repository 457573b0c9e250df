import numpy as np
import pytest

from sr_keras import Upscaler, load_engine
from sr_keras.acquisition.fingerprint import fingerprint
from sr_keras.errors import ConfigurationError
from sr_keras.export.presumed import conditions_of
from sr_keras.inference.conditions import Conditions, condition_warnings, parse_noise, scan_fingerprint
from sr_keras.inference.planning import Step
from sr_keras.volumes.normalization import normalization_of
from sr_keras.volumes.volume import Volume

HW, D = Step("hw", 2, (0, 1)), Step("d", 2, (2,))


def scan(shape=(40, 48, 32), seed=0):
    """Smooth tissue with noise, as no scanner makes it."""
    generator = np.random.default_rng(seed)
    places = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    body = 500.0 * (np.sqrt(sum(np.square(each) for each in places)) < 0.9)
    return Volume((body + 20.0 * generator.random(shape)).astype(np.float32), np.eye(4), "MR")


def upsampled(noise, kind="onnx", volume=None):
    upscaler = Upscaler([load_engine("fast_hw_x2", kind)], conditions=Conditions(noise))
    return upscaler.upscale(volume or scan(), (2, 2, 1)).voxels


def test_the_fingerprint_is_that_of_normalised_slices_across_the_through_plane_axis():
    volume = scan(shape=(40, 48, 8))
    normalised = normalization_of(volume).apply(volume.voxels)
    expected = fingerprint([normalised[:, :, index] for index in (1, 2, 3, 4, 5, 6)], (0, 1))
    assert scan_fingerprint(volume, HW) == pytest.approx(expected, abs=1e-6)


def test_the_fingerprint_for_depth_is_the_mean_of_both_orientations():
    volume = scan(shape=(8, 8, 40))
    normalised = normalization_of(volume).apply(volume.voxels)
    first = fingerprint([normalised[index] for index in range(1, 7)], (1,))
    second = fingerprint([normalised[:, index] for index in range(1, 7)], (1,))
    assert scan_fingerprint(volume, D) == pytest.approx((first + second) / 2, abs=1e-6)


def test_keras_and_onnxruntime_fold_alike():
    assert upsampled(0.3, "keras") == pytest.approx(upsampled(0.3), abs=2e-3)


def test_less_noise_is_kept_where_less_is_asked_for():
    # In the middle of the ball there is nothing but noise.
    deviations = [upsampled(noise)[30:50, 38:58, 12:20].std() for noise in (1.0, 0.5, 0.0)]
    assert deviations[0] > deviations[1] > deviations[2]


@pytest.mark.parametrize(
    ("noise", "acquisition", "options"),
    [
        (0.0, "auto", "--noise"),
        (1.0, "ct_box_10", "--acquisition"),
        (0.5, "ct_box_10", "--noise and --acquisition"),
    ],
)
def test_what_no_stage_can_be_told_is_refused(noise, acquisition, options):
    fixed = load_engine("georgescu2020_hw_x2", "onnx")
    upscaler = Upscaler([fixed], conditions=conditions_of(noise, acquisition))
    with pytest.raises(
        ConfigurationError, match=f"^georgescu2020_hw_x2 is the same for every scan; leave {options} out, or use --qual"
    ):
        upscaler.prepare(scan(), (2, 2, 1))
    # One stage that can be told is enough, and without any stage there is nothing to tell.
    Upscaler([fixed, load_engine("fast_d_x2", "onnx")], conditions=conditions_of(noise, acquisition)).prepare(scan())
    upscaler.prepare(scan(), (1, 1, 1))


def test_a_scan_unlike_any_other_is_interpolated_and_says_so():
    # White noise with every second column empty has a spectrum that no scanner makes.
    voxels = scan().voxels.copy()
    voxels[:, ::2] = 0
    voxels[::2] *= 40
    upscaler = Upscaler([load_engine("fast_hw_x2", "onnx")])
    job = upscaler.prepare(Volume(voxels, np.eye(4), "MR"), (2, 2, 1))
    (warning,) = condition_warnings(job.engines)
    assert warning.startswith("Warning: along ij the scan is unlike those that fast_hw_x2 was trained on; ")
    assert warning.endswith(" % of the result is cubic interpolation.")
    assert warning in job.warnings
    (warning,) = condition_warnings(job.engines, estimated=True)
    assert warning.endswith(
        " % of the result is cubic interpolation; the uncertainty was not calibrated on such scans."
    )


def test_an_acquisition_may_be_presumed():
    sharp, smooth = (conditions_of(1.0, name).description(scan(), HW) for name in ("mri_k_space_1", "mri_hamming_1"))
    assert sharp.size == smooth.size == scan_fingerprint(scan(), HW).size + 1
    # A Hamming window takes the power away before the Nyquist frequency.
    assert sharp[5] - smooth[5] > 0.2
    assert conditions_of(0.5).description(scan(), D)[:-1] == pytest.approx(scan_fingerprint(scan(), D))
    with pytest.raises(ConfigurationError, match="^An acquisition must be a YAML file or one of ct_box_10, .*: none.$"):
        conditions_of(1.0, "none")


@pytest.mark.parametrize(("text", "noise"), [("keep", 1.0), ("Reduce", 0.5), ("0.25", 0.25), ("0", 0.0)])
def test_noise_is_a_word_or_a_number(text, noise):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("text", ["less", "1.5", "-1", "nan", ""])
def test_other_noise_is_refused(text):
    with pytest.raises(
        ConfigurationError, match=f"^The noise must be keep, reduce or a number from 0 to 1. Received: {text}.$"
    ):
        parse_noise(text)
