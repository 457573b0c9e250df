"""Trained stages: cards and weights, which of them ship, and their computational complexity."""
