"""What the callbacks keep of a training run."""

import keras
import numpy as np
import pytest

from sr_keras.training.callbacks import MONITOR, Checkpoints


class Weights(keras.callbacks.Callback):
    """Notes the one weight of a model after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def on_train_batch_end(self, *_: int, **__: dict[str, float]) -> None:
        self.seen.append(float(self.model.layers[-1].kernel.numpy().item()))


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="dense")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.75), "mean_absolute_error")
    return model


def kept(path) -> float:
    """Return the weight in a checkpoint."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="dense")])
    model.load_weights(path, skip_mismatch=True)
    return float(model.layers[-1].kernel.numpy().item())


def test_the_best_epoch_is_the_average_and_the_last_the_weights(model, tmp_path):
    weights, averaging = Weights(), keras.callbacks.SwapEMAWeights()
    checkpoints = Checkpoints(tmp_path, float("-inf"), averaging)

    class Scored(keras.callbacks.Callback):
        def on_epoch_end(self, _: int, logs: dict[str, float]) -> None:
            logs[MONITOR] = 1.0

    ones = np.ones((3, 1), np.float32)
    model.fit(ones, 9 * ones, batch_size=1, verbose=0, callbacks=[weights, averaging, Scored(), checkpoints])
    first, second, third = weights.seen
    # The average begins at the first step's weights; each further step adds a quarter.
    expected = 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third
    assert kept(tmp_path / "best.weights.h5") == pytest.approx(expected, rel=1e-5)
    assert kept(tmp_path / "last.weights.h5") == pytest.approx(third, rel=1e-5)
    assert abs(expected - third) > 0.01
