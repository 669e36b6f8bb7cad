"""A network as a layered graph, and its measures by name. To add one: write it in a file here, give it a line below.

The functions themselves give a number wherever it is defined; the registry refuses what would say nothing about the
units of a network, with the reason.
"""

from karikomi.graphs.layered import DISTANCES as DISTANCES
from karikomi.graphs.layered import Distance as Distance
from karikomi.graphs.layered import LayeredGraph as LayeredGraph
from karikomi.graphs.layered import PerLayer as PerLayer
from karikomi.graphs.registry import NODE_MEASURES as NODE_MEASURES
from karikomi.graphs.registry import REFUSED as REFUSED
from karikomi.graphs.registry import WHOLE_MEASURES as WHOLE_MEASURES
from karikomi.graphs.registry import Measure as Measure
from karikomi.graphs.registry import node_measure as node_measure
from karikomi.graphs.registry import whole_measure as whole_measure
