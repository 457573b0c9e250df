import numpy as np
import pytest

from sr_keras.acquisition.mixture import draw_acquisition


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_the_same_seed_draws_the_same_acquisition(modality):
    assert draw_acquisition(modality, np.random.default_rng(5)) == draw_acquisition(modality, np.random.default_rng(5))


def test_every_modality_has_its_own_kinds_of_noise_and_methods():
    generator = np.random.default_rng(0)
    drawn = {each: [draw_acquisition(each, generator) for _ in range(200)] for each in ("CT", "MR")}
    assert {one.noise.kind for one in drawn["CT"]} == {"none", "coloured"}
    assert {one.noise.kind for one in drawn["MR"]} == {"none", "rician"}
    assert {one.in_plane.method for one in drawn["CT"]} == {"gaussian", "box", "cubic"}
    assert {one.in_plane.method for one in drawn["MR"]} == {"k_space", "gaussian", "box", "cubic"}
    assert {one.in_plane.window for one in drawn["MR"]} == {"none", "fermi", "tukey", "hamming"}
    assert {one.through_plane.profile for one in drawn["CT"]} == {"raised_cosine", "gaussian", "box", "cubic"}
    assert {one.through_plane.profile for one in drawn["MR"]} == {"slr", "gaussian", "box", "cubic"}


def test_a_quarter_is_downsampled_and_gets_no_noise():
    generator = np.random.default_rng(0)
    drawn = [draw_acquisition(modality, generator) for modality in ("CT", "MR") for _ in range(400)]
    downsampled = [each for each in drawn if each.in_plane.method == "cubic"]
    assert len(downsampled) == pytest.approx(200, abs=40)
    assert downsampled == [each for each in drawn if each.through_plane.profile == "cubic"]
    assert {each.noise.kind for each in downsampled} == {"none"}


def test_the_multi_sigma_blur_stays_a_part():
    generator = np.random.default_rng(0)
    blurs = [draw_acquisition("MR", generator).in_plane.blur for _ in range(400)]
    assert 0 < sum(blur > 0 for blur in blurs) < 80
    assert max(blurs) <= 0.5


@pytest.mark.parametrize(("share", "methods"), [(0.0, {"gaussian", "box"}), (1.0, {"cubic"})])
def test_the_share_of_cubic_downsampling_can_be_chosen(share, methods):
    generator = np.random.default_rng(0)
    assert {draw_acquisition("CT", generator, share).in_plane.method for _ in range(100)} == methods
