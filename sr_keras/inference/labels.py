"""Segmentations of a scan, resampled onto the very grid of its result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sr_keras.errors import OutputError, VolumeError
from sr_keras.files import check_output
from sr_keras.inference.output_grid import OutputGrid
from sr_keras.inference.provenance import check_sidecar, sidecar_path
from sr_keras.io.freesurfer import DTYPES as MGH_DTYPES
from sr_keras.io.image_names import FREESURFER, has_suffix, output_files
from sr_keras.io.nifti import check_image_output, is_streamed, open_stream, read_volume, write_image
from sr_keras.volumes.label_resampling import LabelInterpolation, resample_labels
from sr_keras.volumes.volume import Volume, format_shape

# A segmentation lies on the grid of its scan where no corner is further off than this, in voxels: headers round.
SAME_GRID = 0.01


@dataclass(frozen=True)
class LabelPair:
    """A segmentation and where it goes.

    Attributes:
        source: an image file on the grid of the scan.
        output: an image file that does not exist.
    """

    source: Path
    output: Path


def check_pairs(pairs: Sequence[LabelPair], output: Path, *, force: bool) -> None:
    """Refuse outputs before any work is done for them.

    Args:
        pairs: of segmentations and outputs.
        output: of the scan.
        force: whether outputs that exist are overwritten.

    Raises:
        OutputError: an output exists, is named twice, or cannot be written.
        VolumeError: a segmentation does not exist.
    """
    taken = {*output_files(output), sidecar_path(output)}
    for pair in pairs:
        if not pair.source.is_file():
            raise VolumeError(f"{pair.source} does not exist; check the path of the segmentation.")
        check_image_output(pair.output, None)
        files = {*output_files(pair.output), sidecar_path(pair.output)}
        if taken & files:
            raise OutputError(f"{pair.output} would be written twice; give each output a name of its own.")
        taken |= files
        for path in output_files(pair.output):
            check_output(path, force=force)
        check_sidecar(pair.output, force=force)


def read_labels(pair: LabelPair, scan: Volume) -> Volume:
    """Read a segmentation.

    Args:
        pair: names it.
        scan: whose grid it lies on.

    Raises:
        VolumeError: it cannot be read, or lies on another grid.
        OutputError: the format of the output has no type for its labels.
    """
    labels = read_volume(pair.source)
    if labels.shape != scan.shape or not _is_same_grid(labels, scan):
        other = "another place or orientation" if labels.shape == scan.shape else f"{format_shape(labels.shape)} voxels"
        raise VolumeError(
            f"{pair.source} is not on the grid of {scan.source}: it has {other}, the scan {format_shape(scan.shape)}; "
            "give a segmentation of this very scan."
        )
    _dtype(labels, pair.output)
    return labels


def write_labels(labels: Volume, grid: OutputGrid, path: Path, interpolation: LabelInterpolation) -> None:
    """Write a segmentation on the grid of a result, in its own type.

    Args:
        labels: the segmentation.
        grid: of the result.
        path: of the file; an error leaves a part of it behind.
        interpolation: "majority" or "nearest".
    """
    to_source = np.linalg.inv(labels.affine) @ grid.affine
    slabs = resample_labels(labels.voxels, grid.shape, to_source, interpolation)
    dtype = _dtype(labels, path)
    if is_streamed(path):
        with open_stream(path, grid.shape, grid.affine, like=labels, dtype=dtype) as stream:
            for span, slab in slabs:
                stream.write(2, span, slab)
        return
    voxels = np.empty(grid.shape, labels.voxels.dtype, order="F")
    for span, slab in slabs:
        voxels[:, :, span] = slab
    write_image(labels.with_voxels(voxels, grid.affine), path, like=labels, dtype=dtype)


def _is_same_grid(labels: Volume, scan: Volume) -> bool:
    corners = np.array(np.meshgrid(*[(0, length - 1) for length in scan.shape], [1])).reshape(4, -1)
    apart = (np.linalg.inv(scan.affine) @ labels.affine - np.eye(4)) @ corners
    return bool(np.abs(apart).max() <= SAME_GRID)


def _dtype(labels: Volume, output: Path) -> str | None:
    """Return the type on disk: None keeps the segmentation's, where the format has it.

    Raises:
        OutputError: the format has no type that holds the labels.
    """
    if not has_suffix(output, FREESURFER) or str(labels.voxels.dtype) in MGH_DTYPES:
        return None
    for dtype in MGH_DTYPES:
        with np.errstate(all="ignore"):
            if np.array_equal(labels.voxels.astype(dtype), labels.voxels):
                return dtype
    raise OutputError(f"{output.name}: the format holds no {labels.voxels.dtype} labels; write .nii.gz.")
