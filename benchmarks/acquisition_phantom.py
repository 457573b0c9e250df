"""A phantom of rectangles in a texture like tissue's, whose straight edges show resolution and ringing."""

import numpy as np
import numpy.typing as npt

from sr_keras.acquisition.profiles import smooth_image
from sr_keras.evaluation.appearance import Edge, measure_edge

Floats = npt.NDArray[np.float32]
# Voxels along slice, row and column, all of 1 mm; the rectangle of each block is at [start, end).
SHAPE = (96, 192, 192)
BLOCKS = ((12, 84), (24, 88), (104, 168))
TISSUE, BRIGHT, TEXTURE = 0.35, 0.65, 0.03
# Blur of the phantom's edges, in voxels: the reference has a resolution of its own.
BLUR = 0.5
# Samples on each side of an edge that are looked at, in mm.
MARGIN = 10
EDGES = "10 to 90 % in mm, largest overshoot in % of the edge, mean over the texture"


def phantom() -> Floats:
    """Return the phantom (slice, row, column), float32, normalised: four bright blocks in tissue, air around it."""
    generator = np.random.default_rng(0)
    frequencies = [np.fft.fftfreq(length) for length in SHAPE]
    radius = np.sqrt(sum(np.square(each) for each in np.meshgrid(*frequencies, indexing="ij")))
    texture = np.fft.ifftn(np.fft.fftn(generator.standard_normal(SHAPE)) / (radius + 0.01) ** 1.5).real
    result = TISSUE + TEXTURE * texture / texture.std()
    (first, last), *blocks = BLOCKS
    for low, high in blocks:
        for left, right in blocks:
            result[first:last, low:high, left:right] += BRIGHT - TISSUE
    result[:, :8] = result[:, -8:] = 0.0
    result[:, :, :8] = result[:, :, -8:] = 0.0
    slices = np.stack([smooth_image(each.astype(np.float32), BLUR) for each in result])
    columns = np.stack([smooth_image(each, BLUR) for each in slices.transpose(2, 0, 1)])
    # The second pass has smoothed rows again; what counts is that all axes are smooth.
    return np.ascontiguousarray(columns.transpose(1, 2, 0))


def edges_of(result: Floats, *, through_plane: bool) -> list[Edge]:
    """Return the rising edges of the blocks along the axes that were upsampled, averaged along the edges."""
    (first, last), *blocks = BLOCKS
    edges = []
    if through_plane:
        for low, high in blocks:
            for left, right in blocks:
                profile = result[:, low + 12 : high - 12, left + 12 : right - 12].mean(axis=(1, 2))
                edges += [_edge(profile, first), _edge(profile[::-1], SHAPE[0] - last)]
        return edges
    for low, high in blocks:
        for left, right in blocks:
            block = result[first + 12 : last - 12]
            along_rows = block[:, :, left + 12 : right - 12].mean(axis=(0, 2))
            along_columns = block[:, low + 12 : high - 12].mean(axis=(0, 1))
            edges += [_edge(along_rows, low), _edge(along_columns, left)]
    return edges


def _edge(profile: Floats, place: int) -> Edge:
    """Measure the edge that rises at a place, between the plateaus around it."""
    window = profile[place - MARGIN : place + MARGIN]
    low, high = float(np.median(window[: MARGIN - 4])), float(np.median(window[MARGIN + 4 :]))
    return measure_edge(window, low, high, 1.0)
