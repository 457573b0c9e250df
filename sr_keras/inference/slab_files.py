"""Results that are written slab by slab, one volume or all of a time series."""

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from sr_keras.inference.maps import RunningMaps
from sr_keras.inference.prefetch import background_writer
from sr_keras.inference.prepared import PreparedJob
from sr_keras.inference.slab_buffer import result_buffer
from sr_keras.io.nifti import holds_series, open_stream, stored_dtype
from sr_keras.io.scans import with_nifti_header
from sr_keras.progress import ProgressCallback, share_of
from sr_keras.volumes.slab_buffers import spans
from sr_keras.volumes.volume import Array, Volume

# Slices of a volume that was made as a whole that are written together.
SLICES_AT_ONCE = 8


def write_slabs(
    job: PreparedJob,
    others: Iterable[Volume],
    path: Path,
    dtype: str | None,
    progress: ProgressCallback | None,
    warnings: list[str],
    maps: RunningMaps | None = None,
) -> None:
    """Run a job and write its result; an error leaves a part of the file behind.

    Args:
        job: of the first volume.
        others: the volumes after it, of a time series, which are done alike.
        path: of a file that `is_streamed`; with several volumes one that `holds_series`.
        dtype: the type on disk; None keeps the scan's.
        progress: called with the progress.
        warnings: gets what back-projection changed.
        maps: written beside the result of one volume.
    """
    like, grid = with_nifti_header(job.volume) if holds_series(path) else job.volume, job.grid
    with ExitStack() as stack:
        buffer = result_buffer(job, stored_dtype(like, dtype, path)) if job.streams else None
        if buffer is not None:
            stack.callback(buffer.close)
        stream = open_stream(path, grid.shape, grid.affine, like=like, dtype=dtype, store=buffer, count=job.count)
        file = stack.enter_context(stream)
        write = stack.enter_context(background_writer(_call))
        for number, volume in enumerate(chain([job.volume], others)):
            if number:
                write(file.next_volume)
            report = _share(progress, number, job.count)
            with closing(_result_slabs(replace(job, volume=volume), report, warnings, maps)) as slabs:
                for axis, span, slab in slabs:
                    write(partial(file.write, axis, span, slab))


def _call(work: Callable[[], None]) -> None:
    work()


def _share(progress: ProgressCallback | None, number: int, count: int) -> ProgressCallback | None:
    """Return the progress callback of one of several volumes."""
    if progress is None or count == 1:
        return progress
    return share_of(progress, number, count, f"volume {number + 1} of {count}, ")


def _result_slabs(
    job: PreparedJob, progress: ProgressCallback | None, warnings: list[str], maps: RunningMaps | None
) -> Generator[tuple[int, slice, Array]]:
    """Yield the result slab by slab, as it comes or, where it has to be made as a whole, along k."""
    if job.streams:
        yield from job.result_slabs(progress) if maps is None else maps.slabs(progress)
        return
    voxels = job.collect(progress, warnings.append).voxels
    for span in spans(voxels.shape[2], SLICES_AT_ONCE):
        yield 2, span, voxels[:, :, span]
