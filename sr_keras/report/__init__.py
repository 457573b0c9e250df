"""Pages that show a result beside its scan, and methods beside each other: one file each, which needs no network."""
