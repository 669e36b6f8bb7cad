"""Compiled kernels of the sparse engine.

A minibatch is worked on in blocks of 64 examples. Every value, of an input, a unit or a derivative, is one vector
over the 64 examples of its block; so a link costs a handful of vector instructions, whichever links are left. Inputs
that are mostly 0 are the exception while they have many links: there the lanes are units, and zeros cost nothing.
"""
