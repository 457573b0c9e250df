"""Adaptation gains on held-out slices and on the ground truth, is the same on every run, or leaves a stage as it is."""

from dataclasses import replace

import numpy as np
import pytest

from sr_keras.adaptation import fitting
from sr_keras.adaptation.adapter import FactorEngine
from sr_keras.adaptation.adapting import Settings, adapt
from sr_keras.adaptation.stage import engine_of
from sr_keras.engines import Batched, KerasEngine
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.evaluation.metrics import psnr
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.stages import find_stage
from sr_keras.resources import parse_bytes
from sr_keras.volumes.volume import Volume

QUICK = Settings(steps=25, thickness=2.0, profile="gaussian")


@pytest.fixture(scope="module")
def start():
    """A stage for x4, with much to learn for x2."""
    return find_stage("fast_d_x4")


@pytest.fixture(scope="module")
def outcome(start, thick):
    return adapt(start, [(thick, 2)], 2, QUICK)


def level(engine, thick, truth):
    result = Upscaler([engine]).upscale(thick, (1, 1, 2))
    return psnr(truth.voxels.astype(np.float32), result.voxels, data_range=1000.0)


def test_it_gains_on_held_out_slices_and_on_the_ground_truth(outcome, start, thick, truth):
    assert outcome.gain > 0.1
    assert level(engine_of(outcome.stage), thick, truth) > level(FactorEngine(start, 2), thick, truth) + 0.1


def test_the_outcome_says_what_was_done(outcome):
    assert outcome.record["scans"]["1"] | {"noise": 0, "slices": 0} == {
        "name": "thick",
        "sha256": "",
        "spacing_mm": 2.0,
        "slice_thickness_mm": 2.0,
        "thickness_from": "as given",
        "profile": "gaussian",
        "noise": 0,
        "slices": 0,
    }
    card = outcome.stage.card
    assert card.configuration["adaptation"] == outcome.record
    assert (card.modalities, card.scale, card.chain) == (["MR"], 2, {"widths": [32, 32, 32, 16, 16], "skip": False})
    assert outcome.line == (
        f"adapted: {outcome.gain:+.2f} dB on slices held out (slices 2 mm thick every 2 mm, as given)"
    )


def test_what_began_with_interpolation_is_as_bright_at_the_ends_as_within(thick):
    stage = find_stage("fast_d_x2")
    far = stage.for_scan(np.full(len(stage.card.description), 9.0, np.float32))
    outcome = adapt(far, [(thick, 2)], 2, QUICK)
    assert outcome.stage.card.chain["mirrored"]
    flat = np.full((1, 24, 24), 0.5, np.float32)
    np.testing.assert_allclose(Batched(engine_of(outcome.stage), 1).run(flat)[:, 8:16], 0.5, atol=0.02)


def test_onnxruntime_and_keras_run_it_alike(outcome):
    images = np.random.default_rng(0).random((2, 30, 20), np.float32)
    made = engine_of(outcome.stage)
    assert made.runtime == "onnxruntime"
    np.testing.assert_allclose(made.run(images), KerasEngine(outcome.stage).run(images), atol=2e-6)


def test_it_is_the_same_on_every_run_and_compiles_once(outcome, start, thick):
    before = fitting._compiled.cache_info().misses
    again = adapt(start, [(thick, 2)], 2, QUICK)
    assert fitting._compiled.cache_info().misses == before
    for one, other in zip(outcome.stage.network.get_weights(), again.stage.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_it_does_not_gain_the_stage_stays(outcome, thick):
    again = adapt(outcome.stage, [(thick, 2)], 2, Settings(steps=1, thickness=2.0, profile="gaussian"))
    assert again.stage is None
    assert again.line.startswith("Not adapted, the stage runs as it ships: ")


def test_scans_of_one_protocol_make_one_stage_of_another_factor(thick):
    together = adapt(find_stage("fast_d_x4"), [(thick, 2), (thick, 2)], 3, Settings(steps=10, thickness=2.0))
    assert together.stage.card.scale == 3
    assert list(together.record["scans"]) == ["1", "2"]


@pytest.mark.parametrize(
    ("shape", "spacing", "text"),
    [
        ((64, 64, 20), (1, 1, 1), "slices must lie at least 1.2 pixels apart, not 1 mm at pixels of 1x1 mm"),
        ((64, 64, 3), (1, 1, 4), "at least 4 slices must show tissue, not 3"),
        ((30, 30, 20), (1, 1, 4), "slices of 30x30 pixels are too small to adapt to at x2"),
    ],
)
def test_scans_with_nothing_to_learn_from_are_refused_in_one_line(shape, spacing, text):
    voxels = np.random.default_rng(0).integers(100, 1000, shape).astype(np.int16)
    with pytest.raises(VolumeError, match=text) as caught:
        adapt(find_stage("fast_d_x2"), [(Volume(voxels, np.diag([*spacing, 1])), 2)], 2, QUICK)
    assert "\n" not in str(caught.value)
    # The command adapt has no option that leaves it out.
    assert str(caught.value).endswith("; super-resolve it without adapting.")


def test_a_constant_scan_is_refused_and_constant_regions_are_not_learned_from(start, thick):
    constant = Volume(np.full((64, 64, 20), 7, np.int16), np.diag([1, 1, 4, 1]))
    with pytest.raises(VolumeError, match="at least 4 slices must show tissue, not 0"):
        adapt(start, [(constant, 2)], 2, QUICK)
    padded = thick.with_voxels(np.pad(thick.voxels, ((40, 40), (40, 40), (0, 0))))
    assert adapt(start, [(padded, 2)], 2, replace(QUICK, steps=15)).gain > 0.1


def test_too_little_memory_is_refused(thick):
    with pytest.raises(VolumeError, match="To adapt takes .* of memory, 1.0 MB may be used; allow more with --memory"):
        adapt(find_stage("fast_d_x2"), [(thick, 2)], 2, QUICK, memory=1_000_000)


def test_of_many_scans_a_few_slices_each_are_counted():
    scan = Volume(np.broadcast_to(np.int16(1), (256, 256, 60)), np.eye(4))
    needed = []
    for count in (2, 24):
        with pytest.raises(VolumeError) as caught:
            adapt(find_stage("fast_d_x2"), [(scan, 2)] * count, 2, QUICK, memory=1_000_000)
        needed.append(parse_bytes("".join(str(caught.value).split()[3:5])))
    # 24 scans give four slices each, two give 24 each: that is 48 slices more, of 256x256 pixels and 64 bytes a pixel.
    assert needed[1] - needed[0] == pytest.approx(48 * 256 * 256 * 64, abs=1.2e8)


def test_settings_without_meaning_are_refused():
    with pytest.raises(ConfigurationError, match="at least one step to adapt, not 0"):
        Settings(steps=0)
    with pytest.raises(ConfigurationError, match="profile must be one of .*, not round"):
        Settings(profile="round")
