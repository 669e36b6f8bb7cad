"""Compiled kernels of the sparse engine: a block of 64 examples at a time, each value a vector over the examples."""
