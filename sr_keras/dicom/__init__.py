"""DICOM series: read into a `Volume`, and written back as a derived series of the same study.

Conventions: DICOM's patient space is LPS (x to the left, y to the back, z to the head), a `Volume`'s is RAS+; both in
mm. Volumes made of DICOM have their axes i along a row (column index), j down a column (row index), k along the slice
normal, row direction x column direction, so that the axes are right-handed in either space.
"""
