"""What a run reads is never what it writes, whatever name it is given by."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sr_keras.files import check_distinct
from sr_keras.inference.carried import GRADIENTS
from sr_keras.inference.provenance import is_ours, sidecar_path
from sr_keras.io.image_names import beside, input_files, is_image, output_files


def check_originals(read: Iterable[Path], written: Iterable[Path]) -> None:
    """Refuse outputs that would replace what is read, with `--force` too.

    Args:
        read: scans, segmentations and grids.
        written: results, maps and segmentations.

    Raises:
        OutputError: one is a file of another, or its sidecar or table of gradients.
    """
    originals = [each for path in read for each in _files_read(path)]
    for path in written:
        for output in _files_written(path):
            for source in originals:
                check_distinct(source, output)


def _files_read(path: Path) -> Iterator[Path]:
    if not (is_image(path) and path.is_file()):
        yield path
        return
    yield from input_files(path)
    yield from (beside(path, suffix) for suffix in GRADIENTS)
    # That of an earlier result with the same name but for the suffix is none of the scan's.
    if not is_ours(sidecar_path(path)):
        yield sidecar_path(path)


def _files_written(path: Path) -> Iterator[Path]:
    yield path
    if is_image(path):
        yield from output_files(path)
        yield from (beside(path, suffix) for suffix in (".json", *GRADIENTS))
