"""How scanners make low-resolution scans: models of k-space, slice profiles, kernels and noise, and what tells them
apart in a scan.

All of it is NumPy on whole slices and volumes. Samples lie at the centres of low-resolution voxels, whose outer edges
are those of the high-resolution grid, so low-resolution sample n lies at (n + 0.5) * factor - 0.5 on that grid.
"""
