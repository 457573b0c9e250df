"""From a scan and trained stages to the super-resolved scan: planned once, run slab by slab, within a memory limit."""
