"""Maps beside a result: how far its voxels may be off, and where it contradicts its scan."""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sr_keras.engines import Images
from sr_keras.errors import ConfigurationError, OutputError
from sr_keras.files import check_output
from sr_keras.inference.prefetch import background_writer
from sr_keras.inference.prepared import PreparedJob
from sr_keras.inference.provenance import check_sidecar, sidecar_path
from sr_keras.inference.slab_buffer import result_buffer
from sr_keras.io.image_names import output_files
from sr_keras.io.nifti import is_nifti, open_stream, write_image
from sr_keras.progress import ProgressCallback
from sr_keras.uncertainty.estimator import coverage_records
from sr_keras.uncertainty.residual import Excess, Profile, ResidualSum
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.volume import Volume

# Returns how the slices of a scan were acquired, whose through-plane axis is known; None where nobody knows.
ProfileOf = Callable[[Volume, int], Profile | None]
UNCERTAINTY = "Half-widths of intervals around the voxels of a super-resolved scan"
RESIDUAL = "Scan minus the super-resolved scan, downsampled to the grid of the scan"


@dataclass(frozen=True)
class Maps:
    """What is written beside a result.

    Attributes:
        uncertainty: a NIfTI file for the half-widths of intervals, on the grid of the result; None writes none.
        residual: a NIfTI file for the residual, on the grid of the scan; None writes none.
        profile_of: finds the slice profile that the residual is taken under.
    """

    uncertainty: Path | None = None
    residual: Path | None = None
    profile_of: ProfileOf | None = None

    @property
    def outputs(self) -> list[Path]:
        """The files that are written."""
        return [path for path in (self.uncertainty, self.residual) if path is not None]

    def check(self, output: Path, *, data_consistency: bool, force: bool) -> None:
        """Refuse files before any work is done for them.

        Args:
            output: of the result.
            data_consistency: whether back-projection makes the residual zero.
            force: whether files that exist are overwritten.

        Raises:
            OutputError: a file is no NIfTI file, exists, or is named twice.
            ConfigurationError: there is no residual to write.
        """
        if self.residual and data_consistency:
            raise ConfigurationError("--residual shows what --data-consistency removes; leave one of the two out.")
        taken = {output, *output_files(output), sidecar_path(output)}
        for path in self.outputs:
            if not is_nifti(path):
                raise OutputError(f"{path} is no name of a NIfTI file; name the map .nii.gz.")
            if taken & {path, sidecar_path(path)}:
                raise OutputError(f"{path} would be written twice; give each output a name of its own.")
            taken |= {path, sidecar_path(path)}
            check_output(path, force=force)
            check_sidecar(path, force=force)

    def check_count(self, source: str, count: int) -> None:
        """Refuse several volumes.

        Raises:
            ConfigurationError: there are several.
        """
        if self.outputs and count > 1:
            raise ConfigurationError(f"{source} holds {count} volumes; choose one with --volume.")


class RunningMaps:
    """The maps of a job while it runs: its slabs go through `slabs`, or `collect`.

    Args:
        job: what runs.
        maps: what is asked for.
        places: of the temporary files, by output.
    """

    def __init__(self, job: PreparedJob, maps: Maps, places: Mapping[Path, Path]) -> None:
        self._job, self._maps, self._places = job, maps, places
        volume, factors, axis = job.volume, job.grid.factors, job.plan.slab_axis
        applies = maps.residual is not None and factors[job.slice_axis] > 1
        self._profile = maps.profile_of(volume, job.slice_axis) if applies and maps.profile_of else None
        self._residual = ResidualSum(volume.voxels, factors, axis, self._profile) if maps.residual else None
        self._excess = Excess(volume.voxels, factors, axis) if maps.residual and job.estimators else None

    def slabs(self, progress: ProgressCallback | None) -> Generator[tuple[int, slice, Images]]:
        """Yield the result slab by slab as `PreparedJob.result_slabs` does; the maps are written meanwhile."""
        with ExitStack() as stack:
            write = self._opened(stack)
            slabs = stack.enter_context(closing(self._job.estimated_slabs(progress, self._look)))
            for axis, span, slab, widths in slabs:
                if write is not None and widths is not None:
                    write(axis, span, widths)
                yield axis, span, slab
        self._write_residual()

    def collect(self, progress: ProgressCallback | None) -> Volume:
        """Return the result as a whole; the maps are written."""
        result, widths = self._job.collect_estimated(progress, self._look)
        if self._maps.uncertainty is not None and widths is not None:
            self._write(widths, self._maps.uncertainty)
        self._write_residual()
        return result

    def records(self) -> dict[Path, tuple[str, str, dict[str, Any]]]:
        """Return what the sidecars say: a description, how it was made, and more fields, by output."""
        found: dict[Path, tuple[str, str, dict[str, Any]]] = {}
        unit = "HU" if self._job.volume.modality == "CT" else "those of the scan"
        if self._maps.uncertainty is not None:
            record = {"Units": unit, **coverage_records(self._job.estimators.values())}
            found[self._maps.uncertainty] = (UNCERTAINTY, "Estimated beside the super-resolution", record)
        if self._maps.residual is not None and self._residual is not None:
            values = self._residual.voxels
            record = {
                "Units": unit,
                "Resolution": self._job.volume.summary,
                "RootMeanSquare": float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))),
                "Largest": float(np.abs(values).max()),
                "BeyondNeighbours": self._excess_record(),
            }
            found[self._maps.residual] = (RESIDUAL, self._how(), record)
        return found

    def _look(self, span: slice, slab: Images, widths: Images | None) -> None:
        if self._residual is not None:
            self._residual.add(span, slab)
        if self._excess is not None and widths is not None:
            self._excess.add(span, slab, widths)

    def _opened(self, stack: ExitStack) -> Callable[[int, slice, Images], None] | None:
        """Return what writes slabs of half-widths in a thread of its own."""
        if self._maps.uncertainty is None:
            return None
        job, grid = self._job, self._job.grid
        buffer = result_buffer(job, np.dtype(np.float32))
        if buffer is not None:
            stack.callback(buffer.close)
        path, like = self._places[self._maps.uncertainty], _plain(job.volume)
        opened = open_stream(path, grid.shape, grid.affine, like=like, dtype="float32", store=buffer)
        return stack.enter_context(background_writer(stack.enter_context(opened).write))

    def _write_residual(self) -> None:
        if self._residual is not None and self._maps.residual is not None:
            self._write(self._job.volume.with_voxels(self._residual.voxels), self._maps.residual)

    def _write(self, volume: Volume, output: Path) -> None:
        write_image(volume, self._places[output], like=_plain(self._job.volume), dtype="float32")

    def _how(self) -> str:
        profile = self._profile
        if profile is None:
            return "Downsampled by antialiased cubic interpolation"
        return (
            f"Downsampled along {'ijk'[profile.axis]} by the slice profile {profile.name}, {profile.thickness:.2f} of "
            f"the spacing of slices wide ({profile.source}), along other axes by antialiased cubic interpolation"
        )

    def _excess_record(self) -> dict[str, Any] | None:
        """Return how many voxels lie beyond their neighbours in the scan, and the place of the furthest in mm."""
        excess, job = self._excess, self._job
        if excess is None:
            return None
        affine = rescaled_affine(job.volume.affine, [1 / factor for factor in job.grid.factors])
        place = None if excess.place is None else (affine @ [*excess.place, 1])[:3].round(3).tolist()
        share = excess.count / np.prod(job.plan.shape, dtype=np.float64)
        return {"Voxels": excess.count, "Share": float(share), "Largest": excess.largest, "LargestAt_mm": place}


def _plain(volume: Volume) -> Volume:
    """Return a scan without the header of its file, whose type and scaling are not those of a map."""
    return replace(volume, header=None)
