import keras
import numpy as np
import pytest

from sr_keras.networks import conditional_layers
from sr_keras.networks.conditional import build_conditional, build_folded, conditional_weights, fold_into
from sr_keras.networks.conditional_layers import BLUR, MEMBERS, Standardise
from sr_keras.networks.folding import FAR, NEAR, fold, load_conditional_weights, save_conditional_weights
from sr_keras.volumes.resampling import resample_axis

# Folding multiplies in another order than the network does.
FOLDED_TOLERANCE = 1e-5
WIDTHS = (8, 4, 8)
# Fingerprints of two numbers, whose mean is (1, 0) and whose deviations are 1 and 2.
MEMBERS_OF_A_MIXTURE = np.tile(np.array([[0, -2], [2, 2], [0, 2], [2, -2]], np.float32), (MEMBERS // 4, 1))


def conditional(stage="hw", scale=2, *, groups=1, skip=False):
    """A chain whose weights depend on its description, as if trained."""
    keras.utils.set_random_seed(0)
    model = build_conditional(
        stage,
        scale,
        "float32",
        widths=WIDTHS,
        skip=skip,
        length=3,
        bases=2,
        groups=groups,
        members=MEMBERS_OF_A_MIXTURE,
    )
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.name in ("film", "bias", "bases") or variable.path.startswith("details"):
            variable.assign(generator.normal(0, 0.2, variable.shape))
    return model


def images(count=2, shape=(12, 10)):
    return np.random.default_rng(1).random((count, *shape, 1), np.float32)


@pytest.mark.parametrize("stage", ["hw", "d"])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("skip", [False, True])
def test_folded_for_a_scan_it_gives_what_the_conditional_chain_gives(stage, scale, skip):
    model = conditional(stage, scale, skip=skip)
    folded = build_folded(stage, scale, widths=WIDTHS, skip=skip)
    weights = conditional_weights(model)
    for description in ([0.3, -2.0, 1.0], [2.4, 1.0, 0.0]):
        fold_into(folded, weights, description)
        expected = model({"lr": images(), "description": np.tile(np.array(description, np.float32), (2, 1))})["final"]
        assert np.abs(folded(images())["final"] - expected).max() < FOLDED_TOLERANCE


def test_other_scans_give_other_weights():
    weights = conditional_weights(conditional())
    first, second = (fold(weights, np.array(each, np.float32))["conv1"][0] for each in ([0, 0, 0], [1, 1, 1]))
    assert np.abs(first - second).max() > 0.01


def test_each_group_of_a_batch_has_a_description_of_its_own(monkeypatch):
    monkeypatch.setattr(conditional_layers, "BLUR", 0.0)
    one, grouped = conditional(), conditional(groups=2)
    grouped.set_weights(one.get_weights())
    descriptions = np.repeat(np.array([[0.0, 1, 0], [2, 0, 1]], np.float32), 2, axis=0)
    together = grouped({"lr": images(4), "description": descriptions}, training=True)["final"]
    apart = [
        one({"lr": images(4)[part], "description": descriptions[part]})["final"] for part in (slice(0, 2), slice(2, 4))
    ]
    assert np.abs(together - np.concatenate(apart)).max() < FOLDED_TOLERANCE


def test_it_begins_with_cubic_interpolation_as_its_linear_part():
    model = build_conditional("hw", 2, "float32", widths=WIDTHS, skip=False, length=3, bases=2)
    weights = conditional_weights(model)
    folded = build_folded("hw", 2, widths=WIDTHS, skip=False)
    fold_into(folded, weights, np.zeros(3))
    folded.get_layer("details").set_weights([np.zeros_like(each) for each in folded.get_layer("details").get_weights()])
    image = images(1, (16, 16))
    cubic = resample_axis(resample_axis(image[0, ..., 0], 0, 32, 0.5), 1, 32, 0.5)
    inner = slice(8, -8)
    assert np.abs(folded(image)["final"][0, inner, inner, 0] - cubic[inner, inner]).max() < 0.02


def test_weights_are_read_back_in_half_the_precision(tmp_path):
    model, folded = conditional(), build_folded("hw", 2, widths=WIDTHS, skip=False)
    weights = conditional_weights(model)
    save_conditional_weights(tmp_path / "stage.npz", weights)
    read = load_conditional_weights(tmp_path / "stage.npz")
    assert {values.dtype.name for layer in read.convolutions.values() for values in layer.values()} == {"float32"}
    results = []
    for each in (weights, read):
        fold_into(folded, each, np.array([0.3, -2.0, 1.0], np.float32))
        results.append(np.asarray(folded(images())["final"]))
    assert 0.0 < np.abs(results[0] - results[1]).max() < 1e-3 * np.ptp(results[0])


def test_what_is_read_back_is_written_again_as_it_is(tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    save_conditional_weights(first, conditional_weights(conditional()))
    save_conditional_weights(second, load_conditional_weights(first))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("stage", "axes"), [("hw", (1, 2)), ("d", (2,))])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_mirrored_image_gives_the_mirrored_result(stage, scale, axes):
    model, description = conditional(stage, scale), np.tile(np.array([[0.3, -2.0, 1.0]], np.float32), (2, 1))
    upsampled = np.asarray(model({"lr": images(), "description": description})["final"])
    for axis in axes:
        mirrored = model({"lr": np.flip(images(), axis).copy(), "description": description})["final"]
        assert np.abs(np.flip(mirrored, axis) - upsampled).max() < FOLDED_TOLERANCE


def test_far_outside_of_the_mixture_it_is_cubic_interpolation():
    weights, folded = conditional_weights(conditional()), build_folded("hw", 2, widths=WIDTHS, skip=False)
    far = np.array([1.0 + 5.0 * FAR, 0.0, 1.0], np.float32)
    assert weights.trust(far) == 0.0
    fold_into(folded, weights, far)
    image = images(1, (16, 16))
    cubic = resample_axis(resample_axis(image[0, ..., 0], 0, 32, 0.5), 1, 32, 0.5)
    inner = slice(8, -8)
    assert np.asarray(folded(image)["final"])[0, inner, inner, 0] == pytest.approx(cubic[inner, inner], abs=1e-5)


def test_the_distance_to_the_mixture_is_that_to_its_nearest_member():
    weights = conditional_weights(conditional())
    # Deviations of 1 and 2: one away along the first number, two deviations along the second.
    assert weights.distance(np.array([3.0, 6.0, 0.5], np.float32)) == pytest.approx(2.0)
    assert weights.trust(np.array([2.0, 2.0, 0.5], np.float32)) == 1.0
    halfway = np.array([2.0 + 0.5 * (NEAR + FAR), 2.0, 0.5], np.float32)
    assert weights.trust(halfway) == pytest.approx(0.5)


# Two numbers that go together, as the spectra of neighbouring bands do: their difference is never large.
TOGETHER = np.repeat(np.linspace(-1.0, 1.0, MEMBERS, dtype=np.float32)[:, None], 2, axis=1)
TOGETHER += np.tile(np.array([[0.05, -0.05], [-0.05, 0.05]], np.float32), (MEMBERS // 2, 1))


def of_mixture(members):
    return build_conditional("hw", 2, "float32", widths=WIDTHS, skip=False, length=3, bases=2, members=members)


def test_a_combination_that_the_mixture_does_not_have_is_moved_to_the_nearest_one():
    weights = conditional_weights(of_mixture(TOGETHER))
    outlier = np.array([0.8, -0.6, 0.3], np.float32)
    # Each number alone is common.
    assert weights.trust(outlier) == 1.0
    moved = weights.plausible(outlier)
    # Along the diagonal it stays where it is; across it members lie 0.1 apart: 1.5 standard deviations are 0.15.
    assert moved == pytest.approx([0.1 + 0.075, 0.1 - 0.075, 0.3], abs=1e-3)
    assert weights.plausible(moved) == pytest.approx(moved, abs=1e-6)
    folded, expected = (fold(weights, each)["conv1"][0] for each in (outlier, moved))
    assert folded == pytest.approx(expected, abs=1e-5)


def test_along_the_first_axis_a_scan_may_lie_further_away():
    weights = conditional_weights(of_mixture(TOGETHER))
    # The standard deviation of numbers that are uniform between -1 and 1 is 0.577.
    assert weights.plausible(np.array([9.0, 9.0, 0.0], np.float32))[:2] == pytest.approx(2.5 * 3**-0.5, rel=0.02)


def test_a_member_of_the_mixture_stays_as_it_is():
    weights = conditional_weights(of_mixture(TOGETHER))
    for member in TOGETHER:
        description = np.append(member, np.float32(1.0))
        assert weights.plausible(description) == pytest.approx(description, abs=1e-6)


def test_the_network_in_keras_cuts_off_what_folding_cuts_off():
    model, folded = of_mixture(TOGETHER), build_folded("hw", 2, widths=WIDTHS, skip=False)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.name in ("film", "bias", "bases") or variable.path.startswith("details"):
            variable.assign(generator.normal(0, 0.2, variable.shape))
    outlier = np.array([0.8, -0.6, 0.3], np.float32)
    fold_into(folded, conditional_weights(model), outlier)
    result = model({"lr": images(), "description": np.tile(outlier, (2, 1))})["final"]
    assert np.abs(folded(images())["final"] - result).max() < FOLDED_TOLERANCE


def test_fingerprints_are_blurred_in_training_and_the_dial_is_not():
    keras.utils.set_random_seed(0)
    layer = Standardise(np.random.default_rng(0).normal(size=(MEMBERS, 2)).astype(np.float32))
    numbers = np.tile(np.array([[0.1, -0.1, 0.8]], np.float32), (4000, 1))
    plain, blurred = (np.asarray(layer(numbers, training=training)) for training in (False, True))
    assert (blurred[:, 2] == plain[:, 2]).all()
    assert (blurred - plain)[:, :2].std() == pytest.approx(BLUR, rel=0.05)
    assert (np.asarray(layer(numbers)) == plain).all()


def test_a_resumed_training_blurs_as_if_it_had_not_stopped():
    numbers = np.zeros((4, 3), np.float32)
    whole, resumed = (Standardise(MEMBERS_OF_A_MIXTURE) for _ in range(2))
    resumed.seed_generator.state.assign(whole.seed_generator.state)
    drawn = [np.array(whole(numbers, training=True)) for _ in range(3)]
    resumed.go_on_from(2)
    np.testing.assert_array_equal(resumed(numbers, training=True), drawn[2])
    assert not np.array_equal(drawn[1], drawn[2])
