"""What holds a result until it can be written in the order of its file."""

from typing import Any

import numpy as np

from sr_keras.inference.planning import SLOWEST_AXIS
from sr_keras.inference.prepared import PreparedJob
from sr_keras.volumes.slab_buffers import SlabBuffer, make_slab_buffer


def result_buffer(job: PreparedJob, dtype: np.dtype[Any]) -> SlabBuffer | None:
    """Return what holds slabs until they can be written in the order of the file; None where they come in it.

    Args:
        job: that makes them.
        dtype: of the file.
    """
    plan = job.plan
    if plan.output_buffer == "nowhere":
        return None
    # Slabs of the slowest axis of the file are read from it.
    layout = list(dict.fromkeys([job.result_axis, SLOWEST_AXIS, 1, 0]))
    return make_slab_buffer(job.grid.shape, layout, job.folder if plan.output_buffer == "disk" else None, dtype)
