"""What a scan is once it is read: voxels, geometry, intensities, resampling, and buffers that hold slabs of it."""
