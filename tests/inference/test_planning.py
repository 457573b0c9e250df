from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_keras.errors import ConfigurationError
from sr_keras.inference.planning import factors_for_spacing, plan_steps, upsampled_shape
from sr_keras.networks import StageName


@dataclass(frozen=True)
class Stage:
    stage: StageName
    scale: int


X2 = [Stage("hw", 2), Stage("d", 2)]
X24 = [*X2, Stage("hw", 4), Stage("d", 4)]

# Factors, through-plane axis, stages at hand, and the passes worked out by hand.
BY_HAND = [
    ((1, 1, 1), 2, X2, []),
    ((2, 2, 1), 2, X2, ["hw x2 on ij"]),
    ((2, 2, 1), 0, X2, ["hw x2 on ij"]),
    ((1, 1, 2), 2, X2, ["d x2 on k"]),
    ((2, 1, 1), 2, X2, ["d x2 on i"]),
    ((2, 2, 2), 2, X2, ["d x2 on k", "hw x2 on ij"]),
    ((2, 2, 2), 0, X2, ["d x2 on i", "hw x2 on jk"]),
    ((2, 2, 4), 2, X24, ["d x4 on k", "hw x2 on ij"]),
    ((2, 2, 4), 2, X2, ["d x2 on k", "d x2 on k", "hw x2 on ij"]),
    ((4, 4, 4), 2, X24, ["d x4 on k", "hw x4 on ij"]),
    ((4, 4, 4), 2, X2, ["d x2 on k", "d x2 on k", "hw x2 on ij", "hw x2 on ij"]),
    ((2, 4, 1), 2, X2, ["d x2 on j", "hw x2 on ij"]),
    ((2, 4, 4), 2, X24, ["d x2 on j", "d x4 on k", "hw x2 on ij"]),
    ((2, 1, 4), 1, X24, ["d x2 on k", "hw x2 on ik"]),
    ((8, 8, 1), 2, X24, ["hw x4 on ij", "hw x2 on ij"]),
]


@pytest.mark.parametrize(("factors", "axis", "stages", "steps"), BY_HAND)
def test_steps_by_hand(factors, axis, stages, steps):
    assert [step.label for step in plan_steps(factors, axis, stages)] == steps


@given(st.tuples(*[st.sampled_from([1, 2, 4, 8])] * 3), st.integers(0, 2), st.sampled_from([X2, X24]))
def test_the_steps_multiply_to_the_factors(factors, axis, stages):
    product = [1, 1, 1]
    for step in plan_steps(factors, axis, stages):
        assert len(step.axes) == (2 if step.stage == "hw" else 1)
        for grown in step.axes:
            product[grown] *= step.scale
    assert tuple(product) == factors


@pytest.mark.parametrize("factors", [(3, 3, 1), (1, 1, 5), (16, 16, 1), (0, 1, 1), (6, 2, 2)])
def test_other_scales_are_refused_with_those_that_can_be_had(factors):
    with pytest.raises(ConfigurationError, match="is not made of the factors 1, 2, 4, 8; choose of those, or use"):
        plan_steps(factors, 2, X2)


def test_without_a_d_stage_one_axis_cannot_grow():
    with pytest.raises(ConfigurationError, match="2x2x2 needs a d stage too; add one with --model or use --scale"):
        plan_steps((2, 2, 2), 2, [Stage("hw", 2)])


@pytest.mark.parametrize(
    ("spacing", "target", "factors"),
    [
        ((1, 1, 1), (0.5, 0.5, 0.5), (2, 2, 2)),
        ((0.7, 0.7, 3), (0.7, 0.7, 0.7), (1, 1, 8)),
        ((1, 1, 4), (0.6, 0.6, 1), (2, 2, 4)),
        ((1, 1, 1), (2, 1, 1.5), (1, 1, 1)),
        ((1, 1, 20), (1, 1, 1), (1, 1, 8)),
        ((0.99999, 1, 1), (0.5, 0.49999, 0.5), (2, 2, 2)),
    ],
)
def test_factors_reach_a_spacing(spacing, target, factors):
    assert factors_for_spacing(spacing, target, X2) == factors


def test_without_a_d_stage_the_hw_stage_reaches_a_spacing():
    alone = [stage for stage in X2 if stage.stage == "hw"]
    assert factors_for_spacing((1, 1, 3), (0.5, 0.5, 3), iter(alone)) == (2, 2, 1)
    # What it cannot do alone is refused rather than left to interpolation.
    with pytest.raises(ConfigurationError, match="1x1x2 needs a d stage too"):
        plan_steps(factors_for_spacing((1, 1, 3), (1, 1, 1.5), alone), 2, alone)


def test_upsampled_shape():
    assert upsampled_shape((10, 20, 30), (2, 1, 4)) == (20, 20, 120)
