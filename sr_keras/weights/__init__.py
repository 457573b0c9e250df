"""The weights that ship, each with its card; ATTRIBUTION.md credits the scans they were fitted to."""
