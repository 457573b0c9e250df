"""Image files that are no scans for a network: label maps, and the parts of complex images that are no magnitude."""

from pathlib import Path

from sr_keras.dicom.refusals import COMPONENTS
from sr_keras.errors import SrKerasError, VolumeError
from sr_keras.files import read_json
from sr_keras.io.image_names import beside, is_image
from sr_keras.volumes.label_maps import label_map_reason
from sr_keras.volumes.phase_images import phase_image_reason
from sr_keras.volumes.volume import Volume

LABEL_REMEDY = "use predict --labels to resample it with its scan"
MAGNITUDE_REMEDY = "choose the magnitude"
# Keys of a dcm2niix sidecar that name the part of a complex image; the first two words of an image type do not.
SIDECAR_KEYS = {"ComplexImageComponent": 0, "ImageType": 2}


def check_is_scan(volume: Volume, path: Path, hint: str = "say --modality if it is a scan") -> None:
    """Refuse what only looks like a scan by its name, its sidecar or its values.

    Args:
        volume: what an image file holds.
        path: of the file; a name alone where there is none.
        hint: what to do about it here, besides the usual.

    Raises:
        VolumeError: it is a label map, or a phase, real or imaginary image.
    """
    if reason := label_map_reason(volume, path.name):
        raise VolumeError(f"{path} looks like a label map ({reason}); {LABEL_REMEDY}, or {hint}.")
    part = _recorded_part(path)
    reason = "as its .json says" if part else phase_image_reason(volume, path.name)
    if reason:
        raise VolumeError(f"{path} looks like a {part or 'phase'} image ({reason}); {MAGNITUDE_REMEDY}, or {hint}.")


def _recorded_part(path: Path) -> str:
    """Return the part of a complex image that a sidecar says an image is: "phase", "real" or "imaginary"; else ""."""
    sidecar = beside(path, ".json")
    if not is_image(path) or not sidecar.is_file():
        return ""
    try:
        record = read_json(sidecar, VolumeError)
    except SrKerasError:
        return ""
    if not isinstance(record, dict) or record.get("Modality", "MR") != "MR":
        return ""
    for key, first in SIDECAR_KEYS.items():
        value = record.get(key)
        for word in (value if isinstance(value, list) else [value])[first:]:
            if isinstance(word, str) and word.upper() in COMPONENTS:
                return COMPONENTS[word.upper()]
    return ""
