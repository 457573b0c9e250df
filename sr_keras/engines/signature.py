"""The input signature of an engine: names, layouts, and the shapes that it accepts."""

from dataclasses import dataclass

from sr_keras.errors import ModelFileError

# The smallest and the largest length of an axis; None is unlimited.
Range = tuple[int, int | None]
AXES = ("batch", "height", "width")


@dataclass(frozen=True)
class ShapeLimits:
    """The input shapes that an engine accepts: the smallest and the largest length of each axis, None is unlimited."""

    batch: Range = (1, None)
    height: Range = (1, None)
    width: Range = (1, None)

    def check(self, shape: tuple[int, ...], name: str) -> None:
        """Refuse a batch whose shape is outside the limits.

        Args:
            shape: (batch, height, width).
            name: of the engine, for the message.

        Raises:
            ModelFileError: the shape has another number of axes, or an axis is too short or too long.
        """
        ranges = (self.batch, self.height, self.width)
        inside = len(shape) == 3 and all(
            low <= length and (high is None or length <= high)
            for length, (low, high) in zip(shape, ranges, strict=True)
        )
        if not inside:
            raise ModelFileError(
                f"{name} accepts {self}. Received: {'x'.join(map(str, shape))}. Run it through "
                "sr_keras.engines.tiled, or export it with another shape."
            )

    def __str__(self) -> str:
        return ", ".join(f"{axis} {_describe(getattr(self, axis))}" for axis in AXES)


@dataclass(frozen=True)
class Tensor:
    """An input or output of an exported network.

    Attributes:
        name: "lr", "final" or "intermediate".
        dtype: of its elements, "float32".
        layout: "NHWC": batch, height, width, one channel.
        shape: the length of each axis; None is free.
    """

    name: str
    dtype: str
    layout: str
    shape: tuple[int | None, ...]


def tensors(names: tuple[str, ...], shape: tuple[int | None, int | None, int | None]) -> tuple[Tensor, ...]:
    """Return float32 tensors of one shape.

    Args:
        names: a tensor is made for each.
        shape: (batch, height, width); None is free.
    """
    return tuple(Tensor(name, "float32", "NHWC", (*shape, 1)) for name in names)


def _describe(limits: Range) -> str:
    low, high = limits
    if high is None:
        return "any" if low == 1 else f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"
