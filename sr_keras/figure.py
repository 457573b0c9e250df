"""One picture that shows what each method makes of the same detail, and where it errs."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sr_keras.evaluation import Restoration, Score
from sr_keras.files import written_whole
from sr_keras.intensity import normalization_of, tissue_mask
from sr_keras.interpolation import METHODS
from sr_keras.volume import Volume

# Side of the detail in voxels of the true scan: small enough to tell voxels apart in a picture of this width.
DETAIL = 96
# Normalised intensities and errors are shown in these ranges.
GREYS, ERRORS = Normalize(0, 1), Normalize(-0.2, 0.2)
# Methods of interpolation that are shown; the others are in the table.
SHOWN = ("nearest", "cubic", "lanczos")

Image = npt.NDArray[np.float32]


def draw_figure(restoration: Restoration, scores: Sequence[Score], path: Path) -> None:
    """Write a picture: the true detail and each method's in the upper row, their error maps below.

    Args:
        restoration: of one task.
        scores: of the same task; each method's mean PSNR over slices is put above it.
        path: a file of a format that matplotlib writes, such as `.png`.
    """
    truth = restoration.truth
    normalization = normalization_of(truth)
    index, rows, columns = _detail(truth, restoration.axis)
    psnr = {score.method: score.quality.slice_psnr for score in scores}

    def cut(voxels: npt.NDArray[np.float32]) -> Image:
        return normalization.apply(voxels.take([index], restoration.axis).squeeze(restoration.axis)[rows, columns])

    methods = [method for method in restoration.restored if method in SHOWN or method not in METHODS]
    height_over_width = _pixel_aspect(truth, restoration.axis)
    with mpl.rc_context({"font.size": 9, "savefig.dpi": 130}):
        figure = Figure(figsize=(2.4 * (len(methods) + 1), 5.2), layout="constrained")
        axes = figure.subplots(2, len(methods) + 1)
        for axes_of_image in axes.flat:
            axes_of_image.set_axis_off()
        true_image = cut(truth.voxels)
        _show(axes[0, 0], true_image, "original", height_over_width)
        for column, method in enumerate(methods, start=1):
            image = cut(restoration.restored[method])
            _show(axes[0, column], image, f"{method}\n{psnr[method]:.2f} dB", height_over_width)
            _show(axes[1, column], image - true_image, "", height_over_width, cmap="RdBu_r", norm=ERRORS)
        mappable = mpl.cm.ScalarMappable(ERRORS, "RdBu_r")
        figure.colorbar(mappable, ax=axes[1, 0], location="left", label="error, fraction of the intensity range")
        with written_whole(path) as temporary:
            figure.savefig(temporary)


def _show(axis: Axes, image: Image, title: str, aspect: float, cmap: str = "gray", norm: Normalize = GREYS) -> None:
    """Show an image (first axis, second axis of the slice) with its first axis to the right, its second upwards."""
    axis.imshow(image.T, origin="lower", cmap=cmap, norm=norm, aspect=aspect, interpolation="nearest")
    axis.set_title(title)


def _detail(truth: Volume, axis: int) -> tuple[int, slice, slice]:
    """Return the middle slice with tissue, and the window around the middle of that tissue."""
    mask = tissue_mask(truth, normalization_of(truth))
    centre = [int(np.median(np.flatnonzero(mask.any(axis=tuple(o for o in range(3) if o != a))))) for a in range(3)]
    windows = [_window(centre[a], truth.shape[a]) for a in range(3) if a != axis]
    return centre[axis], windows[0], windows[1]


def _window(centre: int, length: int) -> slice:
    start = max(0, min(centre - DETAIL // 2, length - DETAIL))
    return slice(start, min(start + DETAIL, length))


def _pixel_aspect(volume: Volume, axis: int) -> float:
    across, up = (volume.spacing[other] for other in range(3) if other != axis)
    return up / across
