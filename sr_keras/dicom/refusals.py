"""Objects that are no stack of grey slices: refused by what their headers say, before any pixel is decoded."""

from collections.abc import Sequence
from typing import cast

from pydicom import Dataset

from sr_keras.dicom.frames import PER_FRAME, Frame, lookup
from sr_keras.dicom.parsing import number, text
from sr_keras.errors import VolumeError
from sr_keras.volumes.volume import Modality

# What Image Type, Frame Type and Complex Image Component call the parts of a complex image.
COMPONENTS = {
    **dict.fromkeys(("P", "PHASE", "PHASE MAP"), "phase"),
    **dict.fromkeys(("R", "REAL"), "real"),
    **dict.fromkeys(("I", "IMAGINARY"), "imaginary"),
}


def check_kind(headers: Sequence[Dataset], source: str) -> None:
    """Refuse localisers, mosaics, colour and look-up tables.

    Raises:
        VolumeError: one of the data sets is one.
    """
    for header in headers:
        kind = text(header, "ImageType").upper().split("\\")
        if "MOSAIC" in kind:
            raise VolumeError(
                f"{source}: every slice must be an image of its own. Received: a Siemens mosaic. "
                "Convert it first, as with dcm2niix, and give the NIfTI file."
            )
        if "LOCALIZER" in kind:
            raise VolumeError(
                f"{source}: a scan must be a volume. Received: a localiser (scout). Choose the series planned on it."
            )
        samples = number(header, "SamplesPerPixel")
        photometric = text(header, "PhotometricInterpretation")
        if samples not in (None, 1.0) or photometric not in ("MONOCHROME1", "MONOCHROME2"):
            raise VolumeError(
                f"{source}: pixels must be grey. Received: colour, {_safe(photometric)}. Choose the grey original."
            )
        if "ModalityLUTSequence" in header:
            raise VolumeError(
                f"{source}: stored values must become real ones by slope and intercept. Received: a look-up table. "
                "Convert the series to plain values first."
            )


def check_component(frames: Sequence[Frame], modality: Modality | None, source: str) -> None:
    """Refuse the phase, real and imaginary parts of complex images: a phase jumps where it wraps.

    Args:
        frames: of one volume.
        modality: what the caller says that the values are like; real ones are let through then, as of inversion
            recovery.
        source: what messages call the scan.

    Raises:
        VolumeError: a frame is one.
    """
    for frame in frames:
        part = _component(frame)
        if part and not (part == "real" and modality):
            also = ", or say --modality MR if its values are like those of one" if part == "real" else ""
            raise VolumeError(
                f"{source}: an MRI must be a magnitude image. Received: a {part} image in {frame.name}. "
                f"Choose the magnitude{also}."
            )


def _component(frame: Frame) -> str:
    """Return which part of a complex image a frame is: "phase", "real", "imaginary"; "" for a magnitude."""
    described = lookup(frame.header, frame.index, "MRImageFrameTypeSequence")
    if text(frame.header, "Modality") != "MR":
        return ""
    words = [text(each, "ComplexImageComponent") for each in (described, frame.header)]
    # The first two say whether it is original and primary.
    words += [word for each in ("FrameType", "ImageType") for word in text(described, each).split("\\")[2:]]
    words += text(frame.header, "ImageType").split("\\")[2:] if PER_FRAME not in frame.header else []
    return next((COMPONENTS[word.upper()] for word in words if word.upper() in COMPONENTS), "")


def modality_of(header: Dataset, source: str) -> Modality:
    """Return what a data set says it is.

    Raises:
        VolumeError: it is neither CT nor MR.
    """
    modality = text(header, "Modality")
    if modality not in ("CT", "MR"):
        raise VolumeError(
            f"{source}: a series must be CT or MR. Received: {_safe(modality)}. "
            "If its values are like those of one of them, say so with --modality."
        )
    return cast(Modality, modality)


def _safe(code: str) -> str:
    """Return a coded value for a message; not one that is no code, for then it may be anything."""
    return code if 0 < len(code) <= 16 and code.replace("_", "").isalnum() else "an unknown code"
