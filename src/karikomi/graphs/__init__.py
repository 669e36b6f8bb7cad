"""A network as a layered graph, and its measures by name. To add one: write it in a file here, give it a line below.

The functions themselves give a number wherever it is defined; the registry refuses what would say nothing about the
units of a network, with the reason.
"""

from karikomi.graphs.layered import DISTANCES, Distance, LayeredGraph, PerLayer
from karikomi.graphs.registry import NODE_MEASURES, REFUSED, WHOLE_MEASURES, Measure, node_measure, whole_measure

__all__ = [
    "DISTANCES",
    "NODE_MEASURES",
    "REFUSED",
    "WHOLE_MEASURES",
    "Distance",
    "LayeredGraph",
    "Measure",
    "PerLayer",
    "node_measure",
    "whole_measure",
]
