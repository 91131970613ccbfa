"""Batches: sweeps, the jobs they are made of, what they keep and whether it can be made again."""
