"""Benchmarks: programs with a ratio to a reference measured in the same run."""
