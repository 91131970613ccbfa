"""Benchmarks: ours against the plain version, in one process, in alternating pairs. Not run by pytest."""
