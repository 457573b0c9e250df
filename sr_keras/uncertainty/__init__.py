"""What of a result may be believed: how far a voxel may be off, and where a result contradicts its scan.

A small network, the estimator of a stage, gives the half-width of an interval around each voxel. Conformal calibration
on scans that the estimator did not learn from gives the interval its level.
"""

# The share of voxels that the interval is meant to hold.
LEVEL = 0.9
