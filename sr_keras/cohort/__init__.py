"""Many scans: found, shared out among processes or machines, each done once, and all accounted for."""
