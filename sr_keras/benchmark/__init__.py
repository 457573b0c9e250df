"""Latency and throughput of engines, measured in fresh processes in turn, against the machine's upper bound."""
