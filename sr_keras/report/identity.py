"""Who a scan is of: what a page says only if it is asked to."""

from sr_keras.dicom.parsing import text
from sr_keras.dicom.reading import DicomHeader
from sr_keras.errors import printable
from sr_keras.volumes.volume import Volume

ATTRIBUTES = (("Patient", "PatientName"), ("Patient ID", "PatientID"), ("Study date", "StudyDate"))


def identity_of(volume: Volume) -> list[tuple[str, str]]:
    """Return what a DICOM header says of the patient, in rows of a title and a text; nothing for other files."""
    if not isinstance(volume.header, DicomHeader):
        return []
    header = volume.header.frames[0].header
    found = [(title, text(header, attribute)) for title, attribute in ATTRIBUTES]
    return [(title, printable(value)) for title, value in found if value]
