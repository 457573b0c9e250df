"""Files that nibabel reads: NIfTI-1 and NIfTI-2, single and as pairs, FreeSurfer's MGH, Analyze; volume by volume."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.freesurfer.mghformat import MGHError, MGHHeader
from nibabel.imageglobals import logger
from nibabel.spatialimages import HeaderDataError
from nibabel.tripwire import TripWireError
from nibabel.volumeutils import array_from_file
from nibabel.wrapstruct import WrapStructError

from sr_keras.errors import VolumeError
from sr_keras.io.compression import DamagedStreamError, decompressed, is_compressed
from sr_keras.io.freesurfer import MghHeader, read_tags
from sr_keras.io.image_names import FREESURFER, NIFTI, PAIRS, has_suffix
from sr_keras.io.nifti_header import affine_in_mm
from sr_keras.io.values import finite_voxels
from sr_keras.resources import check_memory
from sr_keras.volumes.geometry import Affine
from sr_keras.volumes.volume import Array, Modality, Volume, format_shape

# What nibabel raises on a file that is none of its formats, or damaged.
REFUSALS = (
    *(ImageFileError, HeaderDataError, WrapStructError, MGHError, OSError),
    *(OverflowError, ValueError, KeyError, TypeError),
)
# No .gz file is smaller than its content by a greater factor.
GZIP_RATIO = 1032
TITLES = {NIFTI: "NIfTI", FREESURFER: "MGH", PAIRS: "NIfTI or Analyze"}


class NibabelFile:
    """An image file whose header is read, and whose volumes can be.

    Args:
        path: of a `.nii`, `.nii.gz`, `.hdr`, `.img`, `.mgz` or `.mgh` file.

    Raises:
        VolumeError: it is none, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._title = next((title for suffixes, title in TITLES.items() if has_suffix(path, suffixes)), "NIfTI")
        with self._reading():
            self._image: Any = _mgh_image(path) if has_suffix(path, FREESURFER) else nibabel.load(path)
            if not isinstance(self._image, _classes(path)):
                raise ImageFileError("another format")
            # Those of MGH are integers of NumPy, which JSON does not take.
            lengths = tuple(map(int, self._image.shape))
        if min(lengths, default=0) < 1:
            raise VolumeError(f"{path} has a damaged header, with {format_shape(lengths)} voxels; copy it again.")
        if len(lengths) < 3 or any(length != 1 for length in lengths[4:]):
            raise VolumeError(
                f"{path} has {len(lengths)} axes, {format_shape(lengths)}, instead of three; extract one volume first."
            )
        self.shape: tuple[int, int, int] = (lengths[0], lengths[1], lengths[2])
        self.count: int = lengths[3] if len(lengths) > 3 else 1

    @cached_property
    def affine(self) -> Affine:
        """4 x 4, voxel indices to mm in RAS+.

        Raises:
            VolumeError: the header's unit of length is unknown.
        """
        with self._reading():
            if isinstance(self._image, nibabel.Nifti1Pair):
                return affine_in_mm(self._image)
            affine: Affine = np.asarray(self._image.affine, np.float64)
        return affine

    def volumes(
        self, modality: Modality | None = None, nan_fill: float | None = None, numbers: range | None = None
    ) -> Iterator[Volume]:
        """Yield volumes one after another; the file is read once, from its beginning to its end.

        Args:
            modality: "CT" or "MR"; None infers it from the values of the first volume.
            nan_fill: the value to put where a voxel is NaN or infinite; None refuses such a volume.
            numbers: of the volumes, from 0; None is all of them.

        Raises:
            VolumeError: the file is truncated or corrupt, colour or complex, larger than the free memory, or has
                voxels that are not finite.
        """
        on_disk = self._image.get_data_dtype()
        if on_disk.kind not in "iuf":
            raise VolumeError(f"{self.path} has {_kind(on_disk)} voxels; convert it to one grey value a voxel.")
        size = int(np.prod(self.shape, dtype=object)) * (on_disk.itemsize + 4)
        check_memory(size, f"{self.path} ({format_shape(self.shape)})")
        header = self._header()
        data = Path(self._image.file_map["image"].filename or self.path)
        with decompressed(data) if is_compressed(data) else self._opened(data) as file:
            for number in range(self.count) if numbers is None else numbers:
                with self._reading():
                    voxels = self._voxels(file, number)
                voxels = finite_voxels(voxels, self.path, nan_fill)
                volume = Volume(voxels, self.affine, modality, source=str(self.path), header=header)
                modality = volume.modality
                yield volume

    def _opened(self, data: Path) -> Any:
        with self._reading():
            return data.open("rb")

    def _header(self) -> Any:
        header = self._image.header.copy()
        if isinstance(header, MGHHeader):
            with self._reading():
                return MghHeader(header, read_tags(self.path, header))
        # nibabel keeps the scaling of the file with its voxels; headers of Analyze and SPM hold none, or a part of it.
        if isinstance(header, nibabel.Nifti1Header):
            header.set_slope_inter(*_scaling(self._image))
        return header

    def _voxels(self, file: Any, number: int) -> Array:
        """Read a volume in real units: as stored where there is no scaling, else float32."""
        data = self._image.dataobj
        # Into memory: a mapped file that is truncated later ends the process.
        offset = data.offset + number * int(np.prod(self.shape)) * data.dtype.itemsize
        # Memory for a damaged header's claims would be taken before the file ends.
        path = Path(self._image.file_map["image"].filename or self.path)
        ratio = GZIP_RATIO if is_compressed(path) else 1
        if offset + int(np.prod(self.shape, dtype=object)) * data.dtype.itemsize > ratio * path.stat().st_size:
            raise VolumeError(
                f"{self.path} is truncated or corrupt (too short for {format_shape(data.shape)} voxels); copy it again "
                "from its source."
            )
        stored: Array = array_from_file(self.shape, data.dtype, file, offset, order=data.order, mmap=False)
        slope, intercept = _scaling(self._image)
        if (slope, intercept) == (1.0, 0.0):
            return stored.astype(stored.dtype.newbyteorder("="), copy=False)
        with np.errstate(over="raise"):
            scaled: Array = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        return scaled

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what nibabel and gzip raise on a bad file into one error, and keep nibabel's own messages quiet."""
        path = self.path
        try:
            with _silent_nibabel(), np.errstate(invalid="ignore", over="ignore"):
                yield
        except FileNotFoundError as error:
            if path.exists() and not has_suffix(path, NIFTI):
                raise VolumeError(f"{path}: the other file of the pair is missing; copy .hdr and .img.") from error
            raise VolumeError(f"{path} does not exist; check the path.") from error
        except (EOFError, zlib.error, DamagedStreamError) as error:
            raise VolumeError(f"{path} is truncated or corrupt ({error}); copy it again from its source.") from error
        except FloatingPointError as error:
            raise VolumeError(f"{path}: scaled values are too large for 32-bit floats; rescale the scan.") from error
        except TripWireError as error:
            raise VolumeError(f"{path} has a .mat of SPM beside it, which needs scipy; pip install scipy.") from error
        # A header of unknown codes ends in a KeyError of nibabel's tables.
        except REFUSALS as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise VolumeError(
                f"{path} is no complete {self._title} file ({reason}); convert it, or copy it again."
            ) from error


@contextmanager
def _silent_nibabel() -> Iterator[None]:
    """Keep nibabel's log quiet: without its own handlers, Python itself would print the warnings on stderr."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _mgh_image(path: Path) -> Any:
    """Return nibabel's image of an MGH file: its own way of opening one leaves the file open."""
    with decompressed(path) if is_compressed(path) else path.open("rb") as file:
        header = MGHHeader.from_fileobj(file)
    return nibabel.MGHImage(ArrayProxy(str(path), header), header.get_affine(), header)


def _classes(path: Path) -> Any:
    """Return the classes of nibabel that a file of this name may be of."""
    if has_suffix(path, NIFTI):
        return nibabel.Nifti1Image
    return nibabel.MGHImage if has_suffix(path, FREESURFER) else (nibabel.Nifti1Pair, nibabel.AnalyzeImage)


def _scaling(image: Any) -> tuple[float, float]:
    return image.dataobj.slope, image.dataobj.inter


def _kind(dtype: np.dtype[Any]) -> str:
    return f"colour ({len(dtype.names)} channels)" if dtype.names else str(dtype)
