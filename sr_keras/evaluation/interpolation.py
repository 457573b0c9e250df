"""Classical interpolation, which every network is compared with: Pillow's, axis by axis."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Method = Literal["nearest", "linear", "cubic", "lanczos"]
METHODS: dict[Method, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def interpolate(voxels: npt.NDArray[np.float32], factors: Sequence[int], method: Method) -> npt.NDArray[np.float32]:
    """Upsample a volume by interpolation that keeps the outer voxel edges in place.

    Args:
        voxels: (i, j, k), float32.
        factors: along i, j, k, 1 or more.
        method: "cubic" is Keys' with a = -0.5, "lanczos" has three lobes.

    Returns:
        (i, j, k), float32, each length times its factor.
    """
    for axis, factor in enumerate(factors):
        if factor > 1:
            # An image with one row for each line of voxels along the axis: Pillow then resizes that axis alone.
            lines = np.moveaxis(voxels, axis, -1)
            image = Image.fromarray(np.ascontiguousarray(lines).reshape(-1, lines.shape[-1]))
            resized = np.asarray(image.resize((image.width * factor, image.height), METHODS[method]))
            voxels = np.moveaxis(resized.reshape(*lines.shape[:-1], -1), -1, axis)
    return voxels
