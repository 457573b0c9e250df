"""One picture that compares the methods on one detail, with their error maps."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

from sr_keras.errors import OutputError
from sr_keras.evaluation.interpolation import METHODS
from sr_keras.evaluation.metrics import psnr
from sr_keras.evaluation.protocol import Comparison, Score
from sr_keras.files import atomic_write
from sr_keras.volumes.normalization import normalization_of, tissue_mask

# Side of the detail in voxels of the ground truth: small enough to tell voxels apart in a picture of this width.
DETAIL = 80
# The soft-tissue window of CT, level and width in HU.
LEVEL, WIDTH = 40.0, 400.0
# Errors of MRI are shown up to this fraction of the intensity range; those of CT up to half the window's width.
ERROR_FRACTION = 0.2
# Lengths in mm that the bar may have; it takes the longest of at most a third of the detail.
BARS = (1, 2, 5, 10, 20, 50, 100)
# Methods of interpolation that are shown; the others are in the table.
SHOWN = ("nearest", "cubic", "lanczos")
# How a radiologist looks at a slice: the directions in which columns and rows grow, by the axis that it lies across.
# The patient's right is on the left of axial and coronal slices, anterior is on the left of sagittal ones.
VIEWS = {"S": ("LAS", "axial"), "A": ("LAS", "coronal"), "L": ("LPS", "sagittal")}
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))

Voxels = npt.NDArray[np.float32]


def check_format(path: str | os.PathLike[str]) -> None:
    """Refuse a path whose suffix is no picture format, before any work is done for it.

    Raises:
        OutputError: matplotlib does not write this format.
    """
    formats = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in formats:
        raise OutputError(f"{path} is no picture; name a file with a suffix such as .png, .pdf or .svg.")


def draw_figure(
    comparison: Comparison,
    scores: Sequence[Score],
    path: str | os.PathLike[str],
    *,
    name: str = "",
    force: bool = True,
) -> str:
    """Write a picture: the detail of the ground truth and of each method in the upper row, error maps below.

    Slices lie across the through-plane axis, except where only that axis was upsampled: then they contain it. They are
    shown as radiologists view them, with letters for the patient's directions and a bar in mm. CT is shown in a
    soft-tissue window (level 40 HU, width 400 HU), MRI from its floor to its ceiling.

    Args:
        comparison: of one task.
        scores: of the same task; above each method stand its mean PSNR over slices and that of the detail alone.
        path: a file of a format that matplotlib writes, such as `.png`.
        name: of the scan; empty takes that of its file.
        force: whether a file that exists there is replaced.

    Returns:
        What the picture shows: scan, task and slice.

    Raises:
        OutputError: the format is unknown, or the file cannot be written or exists without `force`.
    """
    check_format(path)
    detail = _detail(comparison, name)
    known = {score.method: score for score in scores}
    methods = [method for method in comparison.results if method in SHOWN or method not in METHODS]
    with mpl.rc_context({"font.size": 9, "savefig.dpi": 130, "text.parse_math": False}):
        figure = Figure(figsize=(2.4 * (len(methods) + 1), 5.8), layout="constrained")
        figure.suptitle(f"{detail.title}\n{detail.greys_label}")
        axes = figure.subplots(2, len(methods) + 1)
        for image_axes in axes.flat:
            image_axes.set_axis_off()
        ground_truth = detail.cut(comparison.ground_truth.voxels)
        _show(axes[0, 0], ground_truth, detail, "ground truth")
        _annotate(axes[0, 0], ground_truth.shape, detail)
        for column, method in enumerate(methods, start=1):
            image = detail.cut(comparison.results[method])
            here = psnr(ground_truth, image, data_range=known[method].data_range)
            title = f"{method}\n{known[method].quality.slice_psnr:.2f} dB, here {here:.2f} dB"
            _show(axes[0, column], image, detail, title)
            _show(axes[1, column], image - ground_truth, detail, cmap="RdBu_r", norm=detail.errors)
        errors = mpl.cm.ScalarMappable(detail.errors, "RdBu_r")
        figure.colorbar(errors, ax=axes[1, 0], location="left", label=f"error{detail.unit}")
        _save(figure, Path(path), force=force)
    return detail.title


@dataclass(frozen=True)
class _Detail:
    """A window of one slice through the middle of the tissue.

    Attributes:
        title: scan, task, and which slice.
        letters: the patient's directions at the left, right, lower and upper edge.
        spacing: mm of a voxel to the right and upwards.
        greys: values shown from black to white, in the scan's own units.
        errors: differences shown from blue to red, in the same units.
        unit: of both, as a suffix.
        orientation: nibabel's, from the scan's axes to those of the view.
        place: the window: along the axis across it an index, along the two others ranges.
        across: the axis of the view that the slice lies across.
    """

    title: str
    letters: tuple[str, str, str, str]
    spacing: tuple[float, float]
    greys: Normalize
    errors: Normalize
    unit: str
    orientation: npt.NDArray[np.float64]
    place: tuple[int | slice, ...]

    @property
    def greys_label(self) -> str:
        """What black and white mean."""
        window = " (soft-tissue window)" if self.unit else ""
        return f"grey values from {self.greys.vmin:.4g} to {self.greys.vmax:.4g}{self.unit}{window}"

    def cut(self, voxels: Voxels) -> Voxels:
        """Return the window of a volume (i, j, k): (to the right, upwards)."""
        cut: Voxels = apply_orientation(voxels, self.orientation)[self.place]
        return cut


def _detail(comparison: Comparison, name: str = "") -> _Detail:
    volume = comparison.ground_truth
    # The axis of the file that the slice lies across.
    across = (comparison.axis + 1) % 3 if comparison.task == "through-plane" else comparison.axis
    codes, plane = VIEWS[{"R": "L", "P": "A", "I": "S"}.get(volume.axis_codes[across], volume.axis_codes[across])]
    orientation = ornt_transform(io_orientation(volume.affine), axcodes2ornt(tuple(codes)))
    normalization = normalization_of(volume)
    mask = apply_orientation(tissue_mask(volume, normalization), orientation)
    view = int(orientation[across, 0])
    right, up = (axis for axis in range(3) if axis != view)
    middles = [_middle(mask, axis) for axis in range(3)]
    place: list[int | slice] = [_window(middle, length) for middle, length in zip(middles, mask.shape, strict=True)]
    place[view] = middles[view]
    index = middles[view] if orientation[across, 1] > 0 else mask.shape[view] - 1 - middles[view]
    spacing = dict(zip(orientation[:, 0].astype(int), volume.spacing, strict=True))
    is_ct = volume.modality == "CT"
    largest_error = WIDTH / 2 if is_ct else ERROR_FRACTION * normalization.data_range
    factors = "x".join(map(str, comparison.factors))
    return _Detail(
        title=f"{name or Path(volume.source).name}, {comparison.task} {factors}, "
        f"{plane} slice {'ijk'[across]} = {index} (of {mask.shape[view]})",
        letters=(OPPOSITE[codes[right]], codes[right], OPPOSITE[codes[up]], codes[up]),
        spacing=(spacing[right], spacing[up]),
        greys=Normalize(LEVEL - WIDTH / 2, LEVEL + WIDTH / 2)
        if is_ct
        else Normalize(normalization.floor, normalization.ceiling),
        errors=Normalize(-largest_error, largest_error),
        unit=" HU" if is_ct else "",
        orientation=orientation,
        place=tuple(place),
    )


def _show(
    axes: Axes, image: Voxels, detail: _Detail, title: str = "", cmap: str = "gray", norm: Normalize | None = None
) -> None:
    aspect = detail.spacing[1] / detail.spacing[0]
    axes.imshow(image.T, origin="lower", cmap=cmap, norm=norm or detail.greys, aspect=aspect, interpolation="nearest")
    axes.set_title(title)


def _annotate(axes: Axes, shape: tuple[int, ...], detail: _Detail) -> None:
    """Write the patient's directions at the edges of an image, and a bar in mm into it."""
    # Legible on white fat as on black air.
    box = {"facecolor": "black", "alpha": 0.5, "edgecolor": "none", "pad": 1}
    style: dict[str, Any] = {"transform": axes.transAxes, "color": "yellow", "fontweight": "bold", "bbox": box}
    left, right, down, up = detail.letters
    for x, y, letter in ((0.02, 0.5, left), (0.98, 0.5, right), (0.5, 0.02, down), (0.5, 0.98, up)):
        horizontal = {0.02: "left", 0.98: "right"}.get(x, "center")
        vertical = {0.02: "bottom", 0.98: "top"}.get(y, "center")
        axes.text(x, y, letter, ha=horizontal, va=vertical, **style)
    width = shape[0] * detail.spacing[0]
    length = max((bar for bar in BARS if bar <= width / 3), default=BARS[0])
    axes.plot([0.04, 0.04 + length / width], [0.05, 0.05], transform=axes.transAxes, color="yellow", linewidth=2)
    axes.text(0.04, 0.07, f"{length} mm", ha="left", va="bottom", fontsize=7, **style)


def _save(figure: Figure, path: Path, *, force: bool) -> None:
    with atomic_write(path, force=force) as temporary, warnings.catch_warnings():
        # Names of scans may hold letters that the font lacks; it shows boxes.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(temporary)


def _middle(mask: npt.NDArray[np.bool_], axis: int) -> int:
    others = tuple(other for other in range(3) if other != axis)
    return int(np.median(np.flatnonzero(mask.any(axis=others))))


def _window(middle: int, length: int) -> slice:
    start = max(0, min(middle - DETAIL // 2, length - DETAIL))
    return slice(start, min(start + DETAIL, length))
