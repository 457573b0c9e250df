"""One picture that shows what each method makes of the same detail, and where it errs."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel.orientations import apply_orientation, io_orientation

from sr_keras.evaluation.interpolation import METHODS
from sr_keras.evaluation.protocol import Comparison, Score
from sr_keras.files import atomic_write
from sr_keras.volumes.normalization import normalization_of, tissue_mask

# Side of the detail in voxels of the true scan: small enough to tell voxels apart in a picture of this width.
DETAIL = 80
# Normalised intensities and errors are shown in these ranges.
GREYS, ERRORS = Normalize(0, 1), Normalize(-0.2, 0.2)
# Methods of interpolation that are shown; the others are in the table.
SHOWN = ("nearest", "cubic", "lanczos")

Voxels = npt.NDArray[np.float32]


def draw_figure(comparison: Comparison, scores: Sequence[Score], path: Path) -> None:
    """Write a picture: the true detail and each method's in the upper row, their error maps below.

    Slices lie along the through-plane axis, except where only that axis was enlarged: then they contain it.

    Args:
        comparison: of one task.
        scores: of the same task; each method's mean PSNR over slices is put above it.
        path: a file of a format that matplotlib writes, such as `.png`.

    Raises:
        OutputError: the file cannot be written.
    """
    detail = _Detail(comparison)
    psnr = {score.method: score.quality.slice_psnr for score in scores}
    methods = [method for method in comparison.results if method in SHOWN or method not in METHODS]
    with mpl.rc_context({"font.size": 9, "savefig.dpi": 130}):
        figure = Figure(figsize=(2.4 * (len(methods) + 1), 5.2), layout="constrained")
        axes = figure.subplots(2, len(methods) + 1)
        for image_axes in axes.flat:
            image_axes.set_axis_off()
        ground_truth = detail.cut(comparison.ground_truth.voxels)
        _show(axes[0, 0], ground_truth, detail.aspect, "original")
        for column, method in enumerate(methods, start=1):
            image = detail.cut(comparison.results[method])
            _show(axes[0, column], image, detail.aspect, f"{method}\n{psnr[method]:.2f} dB")
            _show(axes[1, column], image - ground_truth, detail.aspect, cmap="RdBu_r", norm=ERRORS)
        errors = mpl.cm.ScalarMappable(ERRORS, "RdBu_r")
        figure.colorbar(errors, ax=axes[1, 0], location="left", label="error, fraction of the intensity range")
        with atomic_write(path) as temporary:
            figure.savefig(temporary)


class _Detail:
    """A window of one slice through the middle of the tissue, the patient upright.

    Attributes:
        aspect: height over width of a voxel in the window.
    """

    def __init__(self, comparison: Comparison) -> None:
        ground_truth = comparison.ground_truth
        self._orientation = io_orientation(ground_truth.affine)
        self._normalization = normalization_of(ground_truth)
        mask = apply_orientation(tissue_mask(ground_truth, self._normalization), self._orientation)
        across = (comparison.axis + 1) % 3 if comparison.task == "through-plane" else comparison.axis
        self._axis = int(self._orientation[across, 0])
        shown = [axis for axis in range(3) if axis != self._axis]
        middles = [_crop(mask, axis) for axis in range(3)]
        self._index = middles[self._axis]
        self._window = tuple(_window(middles[axis], mask.shape[axis]) for axis in shown)
        spacing = dict(zip(self._orientation[:, 0].astype(int), ground_truth.spacing, strict=True))
        self.aspect = spacing[shown[1]] / spacing[shown[0]]

    def cut(self, voxels: Voxels) -> Voxels:
        """Return the window of a volume (i, j, k), normalised: (to the right, upwards)."""
        upright = apply_orientation(voxels, self._orientation)
        return self._normalization.apply(np.moveaxis(upright, self._axis, 0)[self._index][self._window])


def _show(
    axes: Axes, image: Voxels, aspect: float, title: str = "", cmap: str = "gray", norm: Normalize = GREYS
) -> None:
    axes.imshow(image.T, origin="lower", cmap=cmap, norm=norm, aspect=aspect, interpolation="nearest")
    axes.set_title(title)


def _crop(mask: npt.NDArray[np.bool_], axis: int) -> int:
    others = tuple(other for other in range(3) if other != axis)
    return int(np.median(np.flatnonzero(mask.any(axis=others))))


def _window(middle: int, length: int) -> slice:
    start = max(0, min(middle - DETAIL // 2, length - DETAIL))
    return slice(start, min(start + DETAIL, length))
