"""How good a stage is where the ground truth is known: protocol, metrics, interpolation, tables, model cards."""
