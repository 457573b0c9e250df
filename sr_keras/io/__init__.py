"""Scans on disk: NIfTI read and written, and any format by its name. DICOM has a room of its own."""
