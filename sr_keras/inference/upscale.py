"""Super-resolve a scan in one call, whatever it comes as."""

import os
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from sr_keras.engines import Engine, load_engine
from sr_keras.errors import ConfigurationError
from sr_keras.inference.adapter import Adapter
from sr_keras.inference.conditions import Conditions, parse_noise
from sr_keras.inference.images import three, to_volume
from sr_keras.inference.upscaler import Upscaler
from sr_keras.models.registry import DEFAULT_FAMILY, choose_stages
from sr_keras.models.stages import shipped_stages
from sr_keras.networks.folding import KEPT_NOISE
from sr_keras.progress import ProgressCallback, progress_report

Numbers = float | Sequence[float]
DEFAULT_SCALE = 2


def upscale(
    image: Any,
    scale: Numbers | None = None,
    *,
    affine: Any = None,
    spacing: Numbers | None = None,
    quality: str | None = None,
    models: Sequence[str | os.PathLike[str] | Engine] = (),
    slice_axis: int | None = None,
    noise: float | str = KEPT_NOISE,
    adapt: Adapter | None = None,
    progress: bool | ProgressCallback = False,
) -> Any:
    """Super-resolve a scan.

    Args:
        image: a path of a NIfTI file or a DICOM series, a nibabel image, a SimpleITK image, a NumPy array (i, j, k) or
            a `Volume`.
        scale: a factor for all axes, or one for each axis of the image: i, j, k, which SimpleITK calls x, y, z. None is
            2, unless an output spacing is given.
        affine: of an array: 4 x 4, voxel indices to mm in RAS+.
        spacing: to reach instead of a factor, in mm: one for all axes, or one for each. For an array without `affine`
            it is the spacing of the array itself.
        quality: family of the shipped networks: "fast" (None), "best" or "georgescu2020".
        models: to run instead, one for each stage and scale: names, training runs, exported files, or engines such as
            a `KerasEngine`.
        slice_axis: the through-plane axis, 0, 1 or 2; None takes the one with the largest spacing, else the third.
        noise: how much of the scan's noise the result keeps, where the networks can be told: "keep", "reduce", or a
            number from 0 to 1.
        adapt: adapts the stage that upsamples the through-plane axis to the scan first, such as a `ScanAdapter`.
        progress: whether a bar on stderr shows the progress, on terminals; or what is called with it.

    Returns:
        What `image` is: a nibabel image of the same class, a SimpleITK image, an array, or a `Volume`; for a path a
        `Volume`, which `write_volume` writes with the header of the scan. Its voxels are float32 in the scan's own
        units, and its voxel edges enclose the same box. What `sr-keras predict` would print as a warning is a Python
        warning.

    Raises:
        VolumeError: the scan cannot be read, or not be super-resolved as it is.
        ConfigurationError: options exclude each other, or no stages make the factors.
        StageError: there is no such family or model.

    >>> import numpy as np
    >>> from sr_keras import upscale
    >>> upscale("scan.nii.gz", (2, 2, 1)).summary
    '96x80x24 voxels of 0.572917x0.572917x1 mm, MR'
    >>> voxels = np.tile(np.arange(32, dtype=np.int16), (32, 32, 1))
    >>> upscale(voxels, 2, spacing=(1, 1, 1), quality="georgescu2020").shape
    (64, 64, 64)
    """
    of_array = isinstance(image, np.ndarray) and affine is None
    volume, back = to_volume(image, affine, three(spacing) if of_array and spacing is not None else None)
    wanted = None if of_array or spacing is None else three(spacing)
    if scale is not None and wanted is not None:
        raise ConfigurationError("Give scale or spacing, not both.")
    upscaler = replace(_upscaler(quality, models), adapter=adapt, conditions=Conditions(parse_noise(str(noise))))
    factors = three(DEFAULT_SCALE if scale is None else scale)
    with progress_report() if progress is True else nullcontext(progress or None) as report:
        result = upscaler.upscale(volume, factors, spacing=wanted, slice_axis=slice_axis, progress=report, warn=_warn)
    return back(result)


def _upscaler(quality: str | None, models: Sequence[str | os.PathLike[str] | Engine]) -> Upscaler:
    if not models:
        return _shipped_upscaler(quality or DEFAULT_FAMILY)
    if quality:
        raise ConfigurationError("Give models or quality, not both.")
    if isinstance(models, (str, os.PathLike)):
        raise ConfigurationError(f"models is a list, one for each stage and scale. Received: {os.fspath(models)}.")
    return Upscaler([load_engine(each) if isinstance(each, (str, os.PathLike)) else each for each in models])


@lru_cache(maxsize=1)
def _shipped_upscaler(family: str) -> Upscaler:
    """Return the shipped stages of a family; those of the last call are kept loaded for the next one."""
    return Upscaler([load_engine(name) for name in choose_stages(shipped_stages(), family)])


def _warn(text: str) -> None:
    # Shown at the line that called `upscale`.
    warnings.warn(text.removeprefix("Warning: "), stacklevel=4)
