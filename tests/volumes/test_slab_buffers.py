from contextlib import closing
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from sr_keras.volumes.slab_buffers import FileSlabBuffer, MemorySlabBuffer, make_slab_buffer, spans

SHAPE = (5, 6, 7)
ORDERS = list(permutations(range(3)))


def span_of(axis, span):
    return (slice(None),) * axis + (span,)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["float32", "int16", ">i2"])
def test_slabs_come_back_from_a_file_as_they_do_from_memory(tmp_path, order, dtype):
    voxels = np.random.default_rng(0).integers(-99, 99, SHAPE).astype(dtype)
    written, *_ = order
    for buffer in (FileSlabBuffer(SHAPE, order, tmp_path, dtype), MemorySlabBuffer(SHAPE, order, dtype)):
        for span in spans(SHAPE[written], 2):
            buffer.write(written, span, voxels[span_of(written, span)])
        for axis in order[:2]:
            for span in spans(SHAPE[axis], 3):
                slab = buffer.read(axis, span)
                assert slab.dtype == np.dtype(dtype)
                np.testing.assert_array_equal(slab, voxels[span_of(axis, span)])
        buffer.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", ORDERS)
def test_a_file_takes_slabs_across_its_second_axis(tmp_path, order):
    voxels = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    with closing(FileSlabBuffer(SHAPE, order, tmp_path)) as buffer:
        for span in spans(SHAPE[order[1]], 4):
            buffer.write(order[1], span, voxels[span_of(order[1], span)])
        np.testing.assert_array_equal(buffer.read(order[0], slice(0, SHAPE[order[0]])), voxels)
        with pytest.raises(ValueError, match=f"spans of the axes .*, not {order[2]}"):
            buffer.read(order[2], slice(0, 1))


def test_a_folder_makes_the_difference(tmp_path):
    for folder, kind in ((tmp_path, FileSlabBuffer), (None, MemorySlabBuffer)):
        with closing(make_slab_buffer(SHAPE, (0, 1, 2), folder)) as buffer:
            assert isinstance(buffer, kind)


def test_spans_cover_an_axis_once():
    assert [(span.start, span.stop) for span in spans(7, 3)] == [(0, 3), (3, 6), (6, 7)]


def test_a_full_disk_is_no_obstacle_to_closing(tmp_path):
    buffer = FileSlabBuffer((2, 2, 2), (0, 1, 2), tmp_path)
    buffer.close()
    # What is written here waits in a buffer, and fails when it goes to the device.
    buffer._file = Path("/dev/full").open("wb")  # noqa: SIM115
    buffer.write(0, slice(0, 2), np.ones((2, 2, 2), np.float32))
    buffer.close()
    with pytest.raises(ValueError, match="closed file"):
        buffer.write(0, slice(0, 2), np.ones((2, 2, 2), np.float32))
