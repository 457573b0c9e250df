"""Latency and throughput of engines: measured in fresh processes, in turn, against what the machine can do."""
