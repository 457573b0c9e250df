"""What happens during a training run: checkpoints that survive a kill at any moment, and progress."""

import csv
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import h5py
import keras

from sr_keras.errors import StageError
from sr_keras.files import atomic_write
from sr_keras.models.stages import check_weights_fit
from sr_keras.progress import progress_bar

# The figure by which the best epoch is chosen: PSNR of the final output on the validation slices.
MONITOR = "val_final_psnr"
# The attribute of a checkpoint that holds the number of epochs it has seen. The optimizer's step counter does not tell:
# under mixed_float16 it leaves out the steps whose gradients overflow.
EPOCHS = "sr_keras_epochs"


class Checkpoints(keras.callbacks.Callback):
    """Saves the weights of the last epoch, with the optimizer's state, and those of the best epoch.

    Each file appears whole or not at all, and holds how many epochs it has seen: weights and progress cannot disagree.

    Args:
        last: file of the last epoch.
        best: file of the best epoch.
        best_psnr: of the epochs before in dB, -inf for a new run.
        averaging: puts the average of the weights in their place while the model is validated; None for no average.
            The best epoch is then that of the averages.
    """

    def __init__(
        self,
        last: Path,
        best: Path,
        best_psnr: float = -math.inf,
        averaging: keras.callbacks.SwapEMAWeights | None = None,
    ) -> None:
        super().__init__()
        self._last, self._best, self._best_psnr, self._averaging = last, best, best_psnr, averaging

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write both files."""
        figures = logs or {}
        if not math.isfinite(figures["loss"]):
            return
        if figures[MONITOR] > self._best_psnr:
            self._best_psnr = figures[MONITOR]
            with self._averaged():
                _save(self.model, self._best, epoch + 1)
        _save(self.model, self._last, epoch + 1)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the average in the place of the weights, as for validation."""
        if self._averaging:
            self._averaging.on_test_begin()
        yield
        if self._averaging:
            self._averaging.on_test_end()


class EpochTimes(keras.callbacks.Callback):
    """Records how long each epoch took, validation included, over all sessions of a run.

    It stands before `Checkpoints`, so that every epoch that counts has its time.

    Args:
        path: a JSON file with the seconds of each epoch; it need not exist.
        epochs_done: epochs of the run that an earlier process did.
    """

    def __init__(self, path: Path, epochs_done: int) -> None:
        super().__init__()
        self.epochs_done = epochs_done
        self._path, self._start = path, 0.0
        self.seconds = _read_seconds(path)[:epochs_done]

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

    A context, so that an interruption leaves the terminal as it was.

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

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

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


def restore_checkpoint(model: Any, path: Path) -> int:
    """Load weights and optimizer state into a compiled model.

    Args:
        model: built and compiled as the run's configuration says.
        path: the checkpoint; before the first epoch has ended there is none.

    Returns:
        The number of epochs that the checkpoint has seen, 0 where there is none.

    Raises:
        StageError: the file is damaged or belongs to another network.
    """
    if not path.exists():
        return 0
    model.optimizer.build(model.trainable_variables)
    try:
        model.load_weights(path)
        with h5py.File(path) as file:
            return int(file.attrs[EPOCHS])
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise StageError(f"{path} is damaged or of another configuration; start a new run.") from error


def rewind_log(path: Path, epochs: int) -> float:
    """Drop the rows of a log that lie past a checkpoint.

    Args:
        path: the run's CSV log; it need not exist, and before the first epoch has ended it may be empty or cut short.
        epochs: rows to keep.

    Returns:
        The best validation PSNR in dB among the rows that stay, -inf where none does.

    Raises:
        StageError: the log is damaged.
    """
    if epochs == 0 or not path.exists():
        path.unlink(missing_ok=True)
        return -math.inf
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        column = header.index(MONITOR)
        best = max(float(row[column]) for row in rows[:epochs])
    except (csv.Error, ValueError, IndexError) as error:
        raise StageError(f"{path} is damaged; start a new run.") from error
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows[:epochs]])
    return best


def _read_seconds(path: Path) -> list[float]:
    """Return the seconds of each epoch; none where they are missing or damaged, which ends no run."""
    try:
        return [float(each) for each in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, RecursionError, OverflowError):
        return []


def _save(model: Any, path: Path, epochs: int) -> None:
    check_weights_fit(path, [*model.variables, *model.optimizer.variables])
    with atomic_write(path) as temporary:
        model.save_weights(temporary)
        with h5py.File(temporary, "a") as file:
            file.attrs[EPOCHS] = epochs
