"""Single-frame CT and MR objects: one file a slice."""

from pydicom import Dataset

from sr_keras.dicom.derived import Task, derived_dataset, describe_derivation
from sr_keras.dicom.parsing import number
from sr_keras.dicom.storage import decimal, mirror_window, pixel_bytes, set_pixel_format, set_range, set_rescale


def classic_object(task: Task, k: int) -> Dataset:
    """Return slice k of the new series as an object of its own.

    The attributes that do not change with the grid are those of the nearest slice of the source.
    """
    frame = task.nearest(k)
    dataset = derived_dataset(frame.header, task)
    describe_derivation(dataset, task, task.neighbours(k))
    dataset.InstanceNumber = k + 1
    _set_plane(dataset, task, k)
    stored = task.storage.stored(task.volume.voxels[:, :, k : k + 1])[:, :, 0]
    set_pixel_format(dataset, task.storage, task.source)
    set_range(dataset, stored, task.storage)
    set_rescale(dataset, task.storage)
    mirror_window(dataset, task.source.mirror)
    dataset.Columns, dataset.Rows = stored.shape
    dataset.PixelData = pixel_bytes(stored)
    dataset["PixelData"].VR = "OW"
    return dataset


def _set_plane(dataset: Dataset, task: Task, k: int) -> None:
    columns, rows, slices = task.volume.spacing
    dataset.ImagePositionPatient = [decimal(value) for value in task.position(k)]
    dataset.ImageOrientationPatient = [decimal(value) for value in task.orientation()]
    dataset.PixelSpacing = [decimal(rows), decimal(columns)]
    if (thickness := number(dataset, "SliceThickness")) is not None:
        dataset.SliceThickness = decimal(thickness * task.step)
    dataset.SpacingBetweenSlices = decimal(slices)
    if "SliceLocation" in dataset:
        _set_location(dataset, task, k)


def _set_location(dataset: Dataset, task: Task, k: int) -> None:
    """Set Slice Location where the new slice lies on the line through the source's first and last one."""
    frames = task.source.frames
    first, last = (number(frame.header, "SliceLocation") for frame in (frames[0], frames[-1]))
    if first is None or last is None:
        del dataset.SliceLocation
        return
    dataset.SliceLocation = decimal(first + (last - first) * task.place(k) / (len(frames) - 1))
