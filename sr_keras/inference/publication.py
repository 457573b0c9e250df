"""The last step of a job: finished files move to their places, all of them or none, with their sidecars."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sr_keras.dicom.writing import publish_series
from sr_keras.errors import OutputError
from sr_keras.files import publish_together, reserved
from sr_keras.inference.carried import carried_gradients
from sr_keras.inference.labels import LabelPair
from sr_keras.inference.prepared import PreparedJob
from sr_keras.inference.provenance import sidecar_path, sidecar_text
from sr_keras.io.image_names import beside, is_image, output_files

# What the sidecar of a map says: a description, how it was made, and more fields.
MapRecord = tuple[str, str, Mapping[str, Any]]
LABELS = "Segmentation on the grid of a super-resolved scan"


class Publication:
    """What a job writes, until all of it is there.

    Args:
        output: the file or folder of the result.
        force: whether outputs that exist are overwritten.
    """

    def __init__(self, output: Path, *, force: bool) -> None:
        self._output, self._force = output, force
        self._places: dict[Path, Path] = {}
        self._moves: list[tuple[Path, Path, bool]] = []

    def reserve(self, output: Path, stack: ExitStack) -> Path:
        """Return a temporary folder beside an output, which the stack removes.

        Raises:
            OutputError: another run is writing the output.
        """
        self._places[output] = stack.enter_context(reserved(output))
        return self._places[output]

    def add_labels(
        self, pair: LabelPair, scan: Path, job: PreparedJob, request: Mapping[str, Any], how: str, seconds: float
    ) -> None:
        """Add a segmentation whose file is finished."""
        place, files = self._places[pair.output], output_files(pair.output)
        written = [place / path.name for path in files]
        text = sidecar_text([pair.source, scan], job, request, (), seconds, written, description=LABELS, pipeline=how)
        self._moves += [(place / path.name, path, self._force) for path in files]
        self._moves.append((*self._sidecar(place, pair.output, text), True))

    def add_map(
        self, output: Path, scan: Path, job: PreparedJob, request: Mapping[str, Any], record: MapRecord, seconds: float
    ) -> None:
        """Add a map beside the result, whose file is finished."""
        place, (description, how, more) = self._places[output], record
        written = [place / output.name]
        text = sidecar_text(
            [scan], job, request, (), seconds, written, description=description, pipeline=how, more=more
        )
        self._moves += [(written[0], output, self._force), (*self._sidecar(place, output, text), True)]

    def publish(
        self,
        scan: Path,
        job: PreparedJob,
        request: Mapping[str, Any],
        warnings: Sequence[str],
        seconds: float,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Move everything to its place, so that after a kill in the midst a rerun does not trust the result.

        Raises:
            OutputError: an output appeared meanwhile and must not be overwritten. Nothing is published then.
            OSError: a file cannot be moved.
        """
        output, place = self._output, self._places[self._output]
        if not is_image(output):
            if output.exists() and not self._force:
                raise OutputError(f"{output} exists; use --force to overwrite.")
            publish_together(self._moves, lambda: publish_series(place / output.name, output))
            return
        *data, _ = files = output_files(output)
        text = sidecar_text([scan], job, request, warnings, seconds, [place / path.name for path in files], more=more)
        self._moves += [(place / path.name, path, self._force) for path in data]
        for suffix, content in carried_gradients(scan, job.grid, job.count).items():
            path = beside(output, suffix)
            (place / path.name).write_bytes(content)
            self._moves.append((place / path.name, path, self._force))
        main = (place / output.name, output, self._force)
        sidecar = (*self._sidecar(place, output, text), True)
        # A file without its sidecar, and one that another sidecar lies beside, is not trusted.
        publish_together([*self._moves, *([main, sidecar] if output.exists() else [sidecar, main])])

    @staticmethod
    def _sidecar(place: Path, output: Path, text: str) -> tuple[Path, Path]:
        path = sidecar_path(output)
        (place / path.name).write_text(text)
        return place / path.name, path
