"""ONNX files of conditional stages: a file for a scan in the middle of the mixture, and what it is for another one.

Beside `NAME.onnx` lies `NAME.places.npz`, which says where in the file each number of the folded kernels goes. So a
file is folded by copying numbers, without a library that writes ONNX.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sr_keras.errors import ModelFileError
from sr_keras.networks.folding import ConditionalWeights, Kernels, fold

PLACES_SUFFIX = ".places.npz"


@dataclass(frozen=True)
class FoldedOnnx:
    """What makes the ONNX file of a conditional stage one for a scan.

    Attributes:
        weights: what the stage has learned.
        places: for each constant of the graph by the offset of its bytes in the file: which number of the kernels, in
            the order of `flattened`, each of its numbers is, counted from 1; 0 is zero. int32.
    """

    weights: ConditionalWeights
    places: Mapping[int, npt.NDArray[np.int32]]

    @classmethod
    def read(cls, model_file: Path, weights: ConditionalWeights) -> Self:
        """Return that of an ONNX file, whose places lie beside it.

        Raises:
            ModelFileError: they are missing or damaged.
        """
        path = model_file.with_suffix(PLACES_SUFFIX)
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(weights, {int(name): array for name, array in file.items()})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ModelFileError(f"{path} is missing or damaged; install sr_keras again.") from error

    def write_places(self, model_file: Path) -> None:
        """Write the places beside an ONNX file."""
        arrays: dict[str, Any] = {str(offset): indices for offset, indices in self.places.items()}
        np.savez_compressed(model_file.with_suffix(PLACES_SUFFIX), **arrays)

    def content_for(self, content: bytes, description: npt.NDArray[np.float32]) -> bytes:
        """Return the file's content with the constants for a scan.

        Args:
            content: of the ONNX file.
            description: of the scan, see `sr_keras.networks.folding.fold`.
        """
        numbers = np.concatenate([np.zeros(1, np.float32), flattened(fold(self.weights, description))])
        changed = bytearray(content)
        for offset, indices in self.places.items():
            constants = numbers[indices].astype("<f4").tobytes()
            changed[offset : offset + len(constants)] = constants
        return bytes(changed)


def flattened(kernels: Kernels) -> npt.NDArray[np.float32]:
    """Return all kernels and biases one after the other, by the names of their layers."""
    arrays = [array.ravel() for name in sorted(kernels) for array in kernels[name]]
    return np.concatenate(arrays).astype(np.float32)


def numbered(kernels: Kernels) -> Kernels:
    """Return kernels whose numbers are their places in `flattened`, counted from 1: they show where each one goes."""
    places: Kernels = {}
    count = 0
    for name in sorted(kernels):
        pair = []
        for array in kernels[name]:
            pair.append(np.arange(count + 1, count + 1 + array.size, dtype=np.float32).reshape(array.shape))
            count += array.size
        places[name] = (pair[0], pair[1])
    return places
