"""From scans and a configuration to a trained stage."""
