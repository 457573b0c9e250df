"""Slice profiles and point-spread functions: what a low-resolution voxel averages along an axis.

A profile is a function of the distance from the centre of the low-resolution voxel. Its thickness is relative to the
spacing of those voxels: less than 1 leaves a gap between slices, more makes them overlap.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from sr_keras.volumes.resampling import downsample_volume

Floats = npt.NDArray[np.float64]
ProfileName = Literal["cubic", "slr", "gaussian", "box", "raised_cosine"]
PROFILES: tuple[ProfileName, ...] = ("cubic", "slr", "gaussian", "box", "raised_cosine")

# Standard deviations in the full width at half maximum of a Gaussian.
FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
# A Gaussian is cut off here, in standard deviations.
GAUSSIAN_SUPPORT = 4.0
# An SLR pulse: half a thickness from the centre its profile has fallen to .55, over .04 thicknesses.
SLR_EDGE, SLR_WIDTH = 0.508, 0.04
# Points at which a profile with edges is averaged over each high-resolution voxel.
SUBSAMPLES = 16


def box(distance: Floats) -> Floats:
    """Return 1 within half a thickness of the centre and 0 outside."""
    return (np.abs(distance) < 0.5).astype(np.float64)


def slr(distance: Floats) -> Floats:
    """Return the profile of a Shinnar-Le Roux pulse: a box with soft ends.

    J. Pauly et al., "Parameter relations for the Shinnar-Le Roux selective excitation pulse design algorithm" (1991),
    DOI 10.1109/42.75611. The ends are fitted to the taps .133 .243 .243 .243 .133, a quarter of a thickness apart.
    """
    return 1.0 / (1.0 + np.exp(np.minimum((np.abs(distance) - SLR_EDGE) / SLR_WIDTH, 50.0)))


def gaussian(distance: Floats) -> Floats:
    """Return a Gaussian whose full width at half maximum is the thickness.

    B. Billot et al., "SynthSR", Science Advances 9 (2023), DOI 10.1126/sciadv.add3607: sigma is .42 thicknesses.
    """
    sigmas = np.abs(distance) * FWHM
    return np.where(sigmas <= GAUSSIAN_SUPPORT, np.exp(-0.5 * sigmas**2), 0.0)


def raised_cosine(distance: Floats) -> Floats:
    """Return 1 + cos(2 pi z / B), whose base B is two thicknesses: helical CT, as measured on a phantom."""
    return np.where(np.abs(distance) < 1.0, 1.0 + np.cos(np.pi * distance), 0.0)


# The shape of each profile, how far it extends in thicknesses, and whether it has edges.
SHAPES: dict[str, tuple[Callable[[Floats], Floats], float, bool]] = {
    "slr": (slr, 1.0, True),
    "gaussian": (gaussian, GAUSSIAN_SUPPORT / FWHM, False),
    "box": (box, 0.5, True),
    "raised_cosine": (raised_cosine, 1.0, False),
}


def profile_matrix(name: str, length: int, factor: int, thickness: float) -> Floats:
    """Return the matrix (low-resolution samples, high-resolution samples), float64, that averages an axis by a profile.

    Beyond the outer voxel edges the samples are mirrored.

    Args:
        name: a name of `SHAPES`.
        length: high-resolution samples, a multiple of `factor`.
        factor: high-resolution samples in a low-resolution one.
        thickness: full width at half maximum over the low-resolution spacing.
    """
    shape, support, has_edges = SHAPES[name]
    radius = int(np.ceil(support * thickness * factor)) + 1
    centres = (np.arange(length // factor) + 0.5) * factor - 0.5
    indices = np.floor(centres).astype(int)[:, None] + np.arange(-radius, radius + 2)
    offsets = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5 if has_edges else np.zeros(1)
    distances = (indices[..., None] + offsets - centres[:, None, None]) / (factor * thickness)
    weights = shape(distances).mean(axis=-1)
    weights /= weights.sum(axis=1, keepdims=True)
    period = np.mod(indices, 2 * length)
    mirrored = np.where(period < length, period, 2 * length - 1 - period)
    matrix = np.zeros((length // factor, length))
    np.add.at(matrix, (np.broadcast_to(np.arange(length // factor)[:, None], mirrored.shape), mirrored), weights)
    return matrix


def average_axis(
    voxels: npt.NDArray[np.float32], axis: int, factor: int, name: str, thickness: float = 1.0
) -> npt.NDArray[np.float32]:
    """Return an array with one axis averaged by a profile and sampled at the centres of low-resolution voxels.

    Args:
        voxels: any shape, float32; `axis` has a multiple of `factor` samples.
        axis: the axis to reduce.
        factor: high-resolution samples in a low-resolution one.
        name: a name of `PROFILES`; "cubic" is antialiased cubic interpolation and has no thickness.
        thickness: full width at half maximum over the low-resolution spacing.
    """
    if name == "cubic":
        return downsample_volume(voxels, [factor if each == axis else 1 for each in range(voxels.ndim)])
    matrix = profile_matrix(name, voxels.shape[axis], factor, thickness).astype(np.float32)
    return np.moveaxis(np.tensordot(voxels, matrix, axes=(axis, 1)), -1, axis)


def smooth_image(image: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    """Return an image (row, column) smoothed by a Gaussian, mirrored at its border, float32.

    Args:
        image: float32.
        sigma: standard deviation in pixels.
    """
    rows, columns = (profile_matrix("gaussian", length, 1, sigma * FWHM).astype(np.float32) for length in image.shape)
    return np.asarray(rows @ image @ columns.T, np.float32)
