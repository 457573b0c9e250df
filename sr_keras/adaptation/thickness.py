"""How thick the slices of a scan are: as its user says, its DICOM header or its sidecar; else as its spectrum says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr_keras.adaptation.pairs import Reduction
from sr_keras.adaptation.profile_fit import ThroughPlane, fit_thickness
from sr_keras.adaptation.slices import ScanSlices
from sr_keras.dicom.frames import lookup
from sr_keras.dicom.parsing import number
from sr_keras.dicom.reading import DicomHeader
from sr_keras.errors import ConfigurationError, VolumeError
from sr_keras.files import read_json
from sr_keras.inference.provenance import sidecar_path
from sr_keras.io.image_names import is_image
from sr_keras.uncertainty.residual import Profile
from sr_keras.volumes.volume import Volume

# The profile of slices of a modality: an SLR pulse, and helical interpolation.
PROFILE_OF = {"MR": "slr", "CT": "raised_cosine"}
# What is fitted where nothing says the thickness: with the width that fits, it is as sharp as any of the others.
FITTED = "gaussian"
ESTIMATED = "estimated from the scan"
# Beyond this a thickness over the spacing of slices is a mistake.
LEAST, MOST = 0.2, 4.0
# A length in a sidecar that is none, in mm.
MOST_MM = 1e6
# Spacings in a sidecar and in a header that differ by more are of different scans.
SAME_SPACING = 0.05


@dataclass(frozen=True)
class SliceProfile:
    """What was taken for the slice profile of a scan.

    Attributes:
        profile: a name of `sr_keras.acquisition.profiles.PROFILES`.
        thickness: over the spacing of slices.
        source: where the thickness is from, in a few words.
    """

    profile: str
    thickness: float
    source: str

    def reduction(self, scale: int) -> Reduction:
        """Return how the scan's through-plane axis was sampled, for a stage of a scale."""
        return Reduction(scale, self.profile, self.thickness)


def slice_profile(scan: ScanSlices, given: float | None, profile: str | None = None) -> SliceProfile:
    """Return the slice profile of a scan.

    Args:
        scan: with slices finer than its through-plane axis.
        given: thickness of its slices in mm; None takes what the scan says, or estimates it.
        profile: a name of `sr_keras.acquisition.profiles.PROFILES`; None takes the one that is usual for the modality,
            or a Gaussian where the thickness is estimated.

    Raises:
        ConfigurationError: the thickness that is given is none that slices of this spacing can have.
    """
    spacing, usual = scan.spacing[2], profile or PROFILE_OF[scan.modality]
    if given is not None:
        if not LEAST <= given / spacing <= MOST:
            raise ConfigurationError(
                f"--slice-thickness must be between {LEAST * spacing:g} and {MOST * spacing:g} mm for slices every "
                f"{spacing:g} mm, not {given:g}."
            )
        return SliceProfile(usual, given / spacing, "as given")
    recorded = _recorded(scan.volume, spacing)
    if recorded is not None:
        thickness, source = recorded
        return SliceProfile(usual, thickness / spacing, source)
    fitted = profile or FITTED
    return SliceProfile(fitted, _estimated(scan, fitted), ESTIMATED)


def recorded_profile(volume: Volume, axis: int) -> Profile | None:
    """Return the slice profile that the header or the sidecar of a scan says; None where neither says a thickness.

    Args:
        volume: the scan.
        axis: its through-plane axis.
    """
    recorded = _recorded(volume, volume.spacing[axis])
    if recorded is None:
        return None
    thickness, source = recorded
    return Profile(axis, PROFILE_OF[volume.modality or "MR"], thickness / volume.spacing[axis], source)


def _recorded(volume: Volume, spacing: float) -> tuple[float, str] | None:
    """Return the thickness in mm that a scan says of itself, and where; None where it says none that can be."""
    if isinstance(volume.header, DicomHeader):
        frame = volume.header.frames[0]
        place = lookup(frame.header, frame.index, "PixelMeasuresSequence")
        thickness, source = number(place, "SliceThickness"), "the DICOM header"
    else:
        thickness, source = _of_sidecar(Path(volume.source), spacing)
    return (thickness, source) if thickness is not None and LEAST <= thickness / spacing <= MOST else None


def _of_sidecar(path: Path, spacing: float) -> tuple[float | None, str]:
    """Return what the sidecar of an image file says, if it is of a scan of that spacing."""
    if not is_image(path):
        return None, ""
    sidecar = sidecar_path(path)
    try:
        content = read_json(sidecar, VolumeError)
    except VolumeError:
        return None, ""
    thickness = _length(content, "SliceThickness")
    between = _length(content, "SpacingBetweenSlices") or spacing
    return (thickness if abs(between / spacing - 1.0) <= SAME_SPACING else None), sidecar.name


def _length(content: Any, key: str) -> float | None:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 < value < MOST_MM else None


def _estimated(scan: ScanSlices, profile: str) -> float:
    """Return the thickness over the spacing under which the scan is alike through plane and in-plane."""
    rows, columns, depth = scan.spacing
    shown = zip(scan.through_plane, (columns, rows), strict=True)
    return fit_thickness([ThroughPlane(images, depth / each) for images, each in shown], profile, scan.modality)
