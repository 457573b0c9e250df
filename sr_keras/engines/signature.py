"""What an exported network takes and gives: names, shapes, and the batches that it accepts."""

from dataclasses import dataclass

from sr_keras.errors import ModelFileError

# The least and the largest length of an axis; None is any.
Range = tuple[int, int | None]
AXES = ("batch", "height", "width")


@dataclass(frozen=True)
class ShapeLimits:
    """The batches that an engine takes: the least and the largest length of each axis; None is any."""

    batch: Range = (1, None)
    height: Range = (1, None)
    width: Range = (1, None)

    def check(self, shape: tuple[int, ...], name: str) -> None:
        """Refuse a batch (batch, height, width) outside the limits.

        Args:
            shape: of the batch.
            name: of the engine.

        Raises:
            ModelFileError: an axis is too short or too long.
        """
        ranges = (self.batch, self.height, self.width)
        inside = len(shape) == 3 and all(
            low <= length and (high is None or length <= high)
            for length, (low, high) in zip(shape, ranges, strict=True)
        )
        if not inside:
            raise ModelFileError(
                f"A batch for {name} must have {self}. Received: {'x'.join(map(str, shape))}. "
                "Predict with sr-keras, which cuts scans to fit, or export with other limits."
            )

    def __str__(self) -> str:
        return ", ".join(f"{axis} {_words(getattr(self, axis))}" for axis in AXES)


@dataclass(frozen=True)
class Tensor:
    """An input or output of an exported network.

    Attributes:
        name: stable: "lr", "final" or "intermediate".
        dtype: of its elements, "float32".
        layout: "NHWC": batch, height, width, one channel.
        shape: the length of each axis; None is free.
    """

    name: str
    dtype: str
    layout: str
    shape: tuple[int | None, ...]


def tensors(names: tuple[str, ...], shape: tuple[int | None, int | None, int | None]) -> tuple[Tensor, ...]:
    """Return float32 tensors of one shape (batch, height, width)."""
    return tuple(Tensor(name, "float32", "NHWC", (*shape, 1)) for name in names)


def _words(limits: Range) -> str:
    low, high = limits
    if high is None:
        return "any" if low == 1 else f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"
