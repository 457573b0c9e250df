"""How scanners make low-resolution scans of what is in front of them."""
