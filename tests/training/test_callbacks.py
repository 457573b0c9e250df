"""What the callbacks keep of a training run."""

import math

import keras
import numpy as np
import pytest

from sr_keras.training.callbacks import MONITOR, Checkpoints, rewind_log


class Weights(keras.callbacks.Callback):
    """Records the one weight of a model after each step."""

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


def saved_weight(path) -> float:
    """Return the weight in a checkpoint."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="dense")])
    model.load_weights(path, skip_mismatch=True)
    return float(model.layers[-1].kernel.numpy().item())


def test_the_best_epoch_is_the_average_and_the_last_the_weights(model, tmp_path):
    weights, averaging = Weights(), keras.callbacks.SwapEMAWeights()
    checkpoints = Checkpoints(tmp_path / "last.weights.h5", tmp_path / "best.weights.h5", averaging=averaging)

    class Scored(keras.callbacks.Callback):
        def on_epoch_end(self, _: int, logs: dict[str, float]) -> None:
            logs[MONITOR] = 1.0

    ones = np.ones((3, 1), np.float32)
    model.fit(ones, 9 * ones, batch_size=1, verbose=0, callbacks=[weights, averaging, Scored(), checkpoints])
    first, second, third = weights.seen
    # The average begins at the first step's weights; each further step adds a quarter.
    expected = 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third
    assert saved_weight(tmp_path / "best.weights.h5") == pytest.approx(expected, rel=1e-5)
    assert saved_weight(tmp_path / "last.weights.h5") == pytest.approx(third, rel=1e-5)
    assert abs(expected - third) > 0.01


@pytest.mark.parametrize("content", ["", "epo", "epoch,val_final_psnr\r\n", "epoch,val_final_psnr\r\n0,30\r\n"])
def test_a_log_of_no_whole_epoch_begins_anew(tmp_path, content):
    (tmp_path / "log.csv").write_text(content)
    assert rewind_log(tmp_path / "log.csv", 0) == -math.inf
    assert not (tmp_path / "log.csv").exists()
    assert rewind_log(tmp_path / "log.csv", 0) == -math.inf


def test_a_log_loses_the_rows_past_its_checkpoint(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,val_final_psnr\r\n0,30.5\r\n1,29\r\n2,31\r\n3,3")
    assert rewind_log(tmp_path / "log.csv", 2) == 30.5
    assert (tmp_path / "log.csv").read_bytes() == b"epoch,val_final_psnr\r\n0,30.5\r\n1,29\r\n"
