"""What happens during a training run: checkpoints that survive a kill at any moment, and progress."""

import csv
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from sr_keras.errors import StageError
from sr_keras.files import atomic_write
from sr_keras.progress import progress_bar

# The figure by which the best epoch is chosen: PSNR of the final output on the validation slices.
MONITOR = "val_final_psnr"


class Checkpoints(keras.callbacks.Callback):
    """Keeps the weights of the last epoch, with the optimizer's state, and those of the best epoch.

    Each file appears whole or not at all. How far a run came is read from the optimizer's own step counter, so weights
    and progress cannot disagree.

    Args:
        folder: where `last.weights.h5` and `best.weights.h5` are kept.
        best: the best figure of the epochs before, -inf for a new run.
        averaging: puts the average of the weights in their place while the model is validated; None where none is kept.
            The best epoch is then that of the averages.
    """

    def __init__(self, folder: Path, best: float, averaging: keras.callbacks.SwapEMAWeights | None = None) -> None:
        super().__init__()
        self._averaging = averaging
        self.last, self.best_epoch = folder / "last.weights.h5", folder / "best.weights.h5"
        self._best = best

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write both files."""
        figures = logs or {}
        if not math.isfinite(figures["loss"]):
            return
        score = figures[MONITOR]
        if score > self._best:
            self._best = score
            with self._averaged():
                _save(self.model, self.best_epoch)
        _save(self.model, self.last)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the average in the place of the weights, as for validation."""
        if self._averaging:
            self._averaging.on_test_begin()
        yield
        if self._averaging:
            self._averaging.on_test_end()


class EpochTimes(keras.callbacks.Callback):
    """Keeps how long each epoch took, validation included, over all sessions of a run.

    It stands before `Checkpoints`, so that every epoch that counts has its time.

    Args:
        path: a JSON file with the seconds of each epoch; it need not exist.
        epochs_done: epochs of the run that an earlier process did.
    """

    def __init__(self, path: Path, epochs_done: int) -> None:
        super().__init__()
        self._path, self._start = path, 0.0
        self.seconds: list[float] = json.loads(path.read_text())[:epochs_done] if path.exists() else []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write how long the epoch took."""
        self.seconds.append(time.perf_counter() - self._start)
        with atomic_write(self._path) as temporary:
            temporary.write_text(json.dumps(self.seconds) + "\n")


class TrainingProgress(keras.callbacks.Callback):
    """Shows a bar over the whole run, with loss, PSNR and time left, and prints a line after each epoch.

    Args:
        epochs: of the whole run.
        steps_per_epoch: batches in an epoch.
        epochs_done: epochs of the run that an earlier process did.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, epochs_done: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._progress = progress_bar()
        self._task = self._progress.add_task(
            "training", total=epochs * steps_per_epoch, completed=epochs_done * steps_per_epoch
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Show the bar."""
        self._progress.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move the bar."""
        figures = logs or {}
        text = f"loss {figures['loss']:.5f}  PSNR {figures['final_psnr']:.2f} dB"
        self._progress.update(self._task, advance=1, description=text)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Print the epoch's figures."""
        figures = logs or {}
        self._progress.console.print(
            f"epoch {epoch + 1}/{self._epochs}: loss {figures['loss']:.5f}, validation PSNR "
            f"{figures[MONITOR]:.2f} dB, SSIM {figures['val_final_ssim']:.4f}",
            highlight=False,
        )

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Take the bar away."""
        self._progress.stop()


def restore_checkpoint(model: Any, path: Path, steps_per_epoch: int) -> int:
    """Load weights and optimizer state into a compiled model, and return the number of epochs they have seen.

    Raises:
        StageError: the file is damaged or belongs to another network.
    """
    model.optimizer.build(model.trainable_variables)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise StageError(
            f"A checkpoint must belong to its run's configuration. Received: {path}, which does not load. "
            "Start a new run."
        ) from error
    return int(model.optimizer.iterations) // steps_per_epoch


def rewind_log(path: Path, epochs: int) -> float:
    """Drop the rows of a log that lie past a checkpoint, and return the best figure among those that stay.

    Args:
        path: the run's CSV log; it need not exist.
        epochs: rows to keep.
    """
    if not path.exists():
        return float("-inf")
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows[:epochs]])
    column = header.index(MONITOR)
    return max((float(row[column]) for row in rows[:epochs]), default=float("-inf"))


def _save(model: Any, path: Path) -> None:
    with atomic_write(path) as temporary:
        model.save_weights(temporary)
