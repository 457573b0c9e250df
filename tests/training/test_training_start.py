from dataclasses import replace

import keras
import numpy as np
import pytest

from sr_keras.errors import ConfigurationError
from sr_keras.models.stages import find_stage
from sr_keras.networks.conditional import build_conditional, conditional_chain, conditional_weights
from sr_keras.networks.folding import fold
from sr_keras.training.configuration import parse_configuration, read_configuration
from sr_keras.training.run import start_training
from sr_keras.training.start import find_start, growth_of, start_as


def configuration(start, *, family="best", stage="hw", scale=2, bases=4):
    shipped = read_configuration(f"fast_{stage}_x{scale}")
    return replace(
        shipped,
        network=replace(shipped.network, family=family),
        training=replace(shipped.training, start=start),
        acquisition=replace(shipped.acquisition, bases=bases),
    )


def started(wanted):
    """A network that begins at a stage, and the stage."""
    start, network = find_start(wanted), wanted.network
    widths, skip = conditional_chain(network.family, network.stage, network.scale)
    keras.utils.set_random_seed(0)
    model = build_conditional(
        network.stage,
        network.scale,
        "float32",
        widths=widths,
        skip=skip,
        length=len(start.card.description),
        bases=wanted.acquisition.bases,
    )
    start_as(model, start, wanted)
    return model, start


def largest_difference(model, start):
    image = np.random.default_rng(0).random((1, 20, 16, 1), np.float32)
    description = np.array([start.card.description], np.float32)
    result = model({"lr": image, "description": description})["final"]
    return float(np.abs(result - start.network(image)["final"]).max())


@pytest.mark.parametrize("stage", ["hw", "d"])
def test_a_network_of_the_same_family_begins_as_the_stage_itself(stage):
    wanted = configuration(f"fast_{stage}_x2", family="fast", stage=stage)
    assert largest_difference(*started(wanted)) < 1e-5


@pytest.mark.parametrize(("stage", "scale"), [("hw", 2), ("hw", 4), ("d", 2), ("d", 4)])
def test_a_larger_network_begins_by_giving_what_the_smaller_one_gives(stage, scale):
    wanted = configuration(f"fast_{stage}_x{scale}", stage=stage, scale=scale)
    # What the skip adds to the old channels is small, but not nothing.
    assert largest_difference(*started(wanted)) < 1e-3


def test_a_larger_network_knows_the_mixture_of_the_smaller_one():
    model, start = started(configuration("fast_hw_x2"))
    assert (conditional_weights(model).members == start.conditional_weights.members).all()
    assert conditional_weights(model).trust(np.array(start.card.description, np.float32)) == 1.0


def test_every_new_channel_learns():
    model, start = started(configuration("fast_hw_x2"))
    growth = growth_of(start, configuration("fast_hw_x2"))
    folded = fold(conditional_weights(model), np.array(start.card.description, np.float32))
    for number, old in enumerate(growth.places, 1):
        kernel, _ = folded[f"conv{number}"]
        new = np.setdiff1d(np.arange(48), old)
        # None is always zero, in which case its gradient would be, too.
        assert (np.abs(kernel[..., new]).max(axis=(0, 1, 2)) > 0).all()
    # But old channels take nothing of them.
    kernel, _ = folded["conv3"]
    new = np.setdiff1d(np.arange(48), growth.places[1])
    assert (kernel[:, :, new[:, None], growth.places[2]] == 0).all()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (configuration("georgescu2020_hw_x2"), "must name a conditional hw stage at x2, not georgescu2020_hw_x2"),
        (configuration("fast_hw_x4"), "must name a conditional hw stage at x2, not fast_hw_x4"),
        (configuration("fast_d_x2"), "must name a conditional hw stage at x2, not fast_d_x2"),
        (configuration("fast_hw_x2", bases=3), "acquisition.bases must be 4, as in fast_hw_x2"),
        (configuration("best_hw_x2", family="fast"), "best_hw_x2 cannot grow into fast; name a smaller stage as start"),
    ],
)
def test_a_stage_that_cannot_be_begun_at_is_refused(wanted, message):
    with pytest.raises(ConfigurationError, match=message):
        find_start(wanted)


def test_only_networks_for_acquired_slices_can_begin_at_a_stage():
    tree = {
        "network": {"family": "fast", "stage": "hw", "scale": 2},
        "patches": {"height": 16, "width": 16, "batch": 4},
        "training": {
            "epochs": 1,
            "steps_per_epoch": 1,
            "learning_rate": 0.001,
            "final_learning_rate": 0.001,
            "start": "fast_hw_x2",
        },
    }
    with pytest.raises(ConfigurationError, match="training.start needs acquisition.mixture scanners"):
        parse_configuration(tree)


def test_a_run_that_begins_at_a_stage_says_at_which_and_keeps_it(small_scan, tmp_path):
    shipped = configuration("fast_d_x2", stage="d")
    wanted = replace(
        shipped,
        patches=replace(shipped.patches, height=16, width=16, batch=4),
        training=replace(shipped.training, epochs=1, steps_per_epoch=2, learning_rate=1e-6, final_learning_rate=1e-6),
        acquisition=replace(shipped.acquisition, groups=2, window=4),
    )
    stage = find_stage(start_training(wanted, [small_scan], [small_scan], tmp_path / "run"))
    start = find_stage("fast_d_x2")
    assert stage.card.start == start.card.weights_sha256
    assert stage.card.configuration["training"]["start"] == "fast_d_x2"
    assert stage.card.description == start.card.description
    # The run can be repeated and resumed when the stage it began at is gone.
    assert find_stage(tmp_path / "run" / "start.json").card.weights_sha256 == start.card.weights_sha256
    image = np.random.default_rng(0).random((1, 12, 12, 1), np.float32)
    assert np.abs(stage.network(image)["final"] - start.network(image)["final"]).max() < 0.02
