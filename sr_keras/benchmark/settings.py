"""What a benchmark is asked to measure."""

from dataclasses import dataclass
from typing import Literal

from sr_keras.errors import ConfigurationError

Scenario = Literal["single-stream", "offline", "volume"]


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        scenario: "single-stream" runs one slice after another, "offline" batches back to back, "volume" a whole scan
            with reading and writing.
        height: of a low-resolution slice, in pixels.
        width: of it.
        batches: slices at once, each measured; single-stream is one slice by its nature.
        seconds: each engine runs in each repeat.
        repeats: engines take turns in each.
        threads: processor cores that every engine may use; None is all.
        scan: a NIfTI file for the volume scenario; None makes one of noise.
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
    """Return height and width of "256x256".

    Raises:
        ConfigurationError: it is no such text.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise ConfigurationError(f"A size must be height and width as in 256x256. Received: {text}.")
    return int(height), int(width)


def parse_batches(text: str) -> tuple[int, ...]:
    """Return the batch sizes of "1,8,32".

    Raises:
        ConfigurationError: it is no such text.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) for part in parts):
        raise ConfigurationError(f"Batches must be whole numbers above zero as in 1,8,32. Received: {text}.")
    return tuple(int(part) for part in parts)
