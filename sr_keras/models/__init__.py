"""Trained stages: their cards and weights, which of them ship, and how much arithmetic they need."""
