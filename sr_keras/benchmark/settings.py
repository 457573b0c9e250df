"""The settings of a benchmark."""

from dataclasses import dataclass
from typing import Literal

from sr_keras.errors import ConfigurationError

# The kind of a `.keras` file that `find_candidates` wrote, with a card beside it. No other `.keras` file is ever read.
OWN_MODEL = "own model"
Scenario = Literal["single-stream", "offline", "volume"]


@dataclass(frozen=True)
class Settings:
    """The settings of a benchmark.

    Attributes:
        scenario: "single-stream" runs one slice after another, "offline" batches back to back, "volume" a whole scan
            including reading and writing.
        height: of a low-resolution slice, in pixels.
        width: of a low-resolution slice, in pixels.
        batches: batch sizes to measure, of the offline scenario; the others run one.
        seconds: duration of each engine's measurement in each repeat.
        repeats: number of times that the engines are measured in turn.
        threads: processor cores that every engine may use; None is all.
        scan: path of a NIfTI file for the volume scenario; None is a synthetic volume of noise.
    """

    scenario: Scenario = "offline"
    height: int = 256
    width: int = 256
    batches: tuple[int, ...] = (1, 8)
    seconds: float = 5.0
    repeats: int = 3
    threads: int | None = None
    scan: str | None = None

    def cells(self) -> list[int]:
        """Return the batch sizes that the scenario measures."""
        return list(self.batches) if self.scenario == "offline" else [1]


def parse_size(text: str) -> tuple[int, int]:
    """Return the height and the width of a size such as "256x256".

    Raises:
        ConfigurationError: the text is not of that form.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise ConfigurationError(f"{text} is not a size; write height and width as in 256x256.")
    return int(height), int(width)


def parse_batches(text: str) -> tuple[int, ...]:
    """Return the batch sizes of a list such as "1,8,32".

    Raises:
        ConfigurationError: the text is not of that form.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) for part in parts):
        raise ConfigurationError(f"{text} is not a list of batch sizes; write integers above zero as in 1,8,32.")
    return tuple(int(part) for part in parts)
