"""The estimators that ship: of the weights that ship, small, and apart from what they were calibrated on."""

import numpy as np
import pytest

from sr_keras.engines import load_engine
from sr_keras.uncertainty.estimator import coverage_records, estimator_of

STAGES = ("fast_hw_x2", "fast_hw_x4", "fast_d_x2", "fast_d_x4")


@pytest.mark.parametrize("name", STAGES)
def test_each_stage_has_one(name):
    engine = load_engine(name, "onnx")
    estimator, record = estimator_of(engine), estimator_of(engine).record
    assert estimator.path.stat().st_size < 50_000
    assert record["level"] == 0.9
    assert record["stage_sha256"] == engine.card.weights_sha256
    assert not {*record["learned_on"]} & {*record["calibrated_on"]}
    images = np.random.default_rng(0).random((2, 20, 16), np.float32)
    widths = estimator.run(images)
    assert (widths.shape, widths.dtype) == ((2, 20, 16), np.float32)
    assert (widths > 0).all()


def test_what_varies_more_is_less_certain():
    estimator = estimator_of(load_engine("fast_hw_x2", "onnx"))
    noise = np.random.default_rng(0).normal(size=(1, 40, 40)).astype(np.float32)
    # Beyond the border lies zero, which is an edge.
    inner = np.s_[:, 5:-5, 5:-5]
    widths = [float(estimator.run(0.5 + np.float32(level) * noise)[inner].mean()) for level in (0.01, 0.03, 0.1)]
    assert widths == sorted(widths)
    assert widths[0] < widths[2] / 1.5


def test_a_border_is_no_edge():
    estimator = estimator_of(load_engine("fast_hw_x2", "onnx"))
    widths = estimator.run(np.full((1, 20, 16), 0.7, np.float32))
    np.testing.assert_allclose(widths, widths[0, 10, 8], rtol=1e-5)


def test_records_without_an_estimator_claim_nothing():
    assert coverage_records([])["CoverageOnOtherScans"] == {}
