"""A network as a layered graph: a node per unit, a link per surviving weight."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from karikomi.errors import InputError, unknown
from karikomi.networks.layers import INPUTS, Layer
from karikomi.runs.files import write_whole

if TYPE_CHECKING:
    import networkx as nx
    from torch import nn

    from karikomi.networks.architecture import Architecture
    from karikomi.networks.subnetwork import Arrays, Subnetwork

PerLayer = dict[str, np.ndarray]
"""A number for every unit: per layer, by its name, an array ``[units]``."""

Distance = Literal["inverse", "log", "hops"]
DISTANCES: Mapping[Distance, str] = {
    "inverse": "a link is 1 / |w| long",
    "log": "a link is −log(|w| / max |w|) long, the maximum taken over the whole network",
    "hops": "every link is 1 long",
}


@dataclass(frozen=True, eq=False, repr=False)
class LayeredGraph:
    """A directed graph whose links lead from one layer to the next.

    Attributes:
        layers: a name for every layer, the inputs first.
        weights: per gap between neighbouring layers a float64 array ``[out, in]``, 0 where there is no link.
        masks: per gap a bool array ``[out, in]``: where there is a link. A link may have the weight 0: it counts as
            a link, but adds nothing to a strength and is infinitely long by weight (1 / 0), so no path takes it.

    Nodes are numbered layer by layer. The arrays are copies, and read-only.

    Raises:
        InputError: where shapes do not fit together, or a weight is NaN or infinite.
    """

    layers: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        layers, masks = tuple(self.layers), tuple(np.array(mask, bool) for mask in self.masks)
        shapes = [np.shape(weight) for weight in self.weights]
        if shapes != [mask.shape for mask in masks] or len(layers) != len(shapes) + 1 or not shapes:
            raise InputError(
                f"a layered graph needs a weight and a mask of one shape [out, in] per gap, and a layer more than"
                f" gaps; it has weights {shapes}, masks {[mask.shape for mask in masks]}, {len(layers)} layers"
            )
        if any(len(shape) != 2 or 0 in shape for shape in shapes) or any(a[0] != b[1] for a, b in pairwise(shapes)):
            raise InputError(f"the gaps must be [out, in], each in the out of the gap before; they are {shapes}")
        if len(set(layers)) < len(layers):
            raise InputError(f"the layers of a graph need different names; they are {', '.join(layers)}")
        weights = tuple(
            np.where(mask, np.asarray(weight, np.float64), 0.0)
            for weight, mask in zip(self.weights, masks, strict=True)
        )
        for name, weight in zip(layers[1:], weights, strict=True):
            if not np.isfinite(weight).all():
                raise InputError(f"the weights of {name} contain NaN or infinite values; has its training diverged?")
        for array in (*weights, *masks):
            array.setflags(write=False)
        for field, value in (("layers", layers), ("weights", weights), ("masks", masks)):
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        return f"LayeredGraph({'-'.join(map(str, self.sizes))}, {self.links:,} links)"

    @classmethod
    def from_subnetwork(cls, subnetwork: Subnetwork) -> Self:
        """The graph of a subnetwork: its masks say where links are. What may be in it: see :meth:`from_module`."""
        return cls._of(subnetwork.architecture, subnetwork.weights, subnetwork.masks)

    @classmethod
    def from_module(cls, module: nn.Module) -> Self:
        """The graph of a plain module; a weight that is exactly 0 counts as removed.

        The module must be one chain of linear and convolutional layers. Activations, dropout, flattening, pooling
        and batch normalization between them are passed over: they move no signal from one unit to another, and
        their scales are not in the weights of the graph. Layers take the names of the module's parts; the first
        one is ``inputs``.

        A convolution is summed up by channel: a node is a channel, the weight between two of them the L1 norm of
        the kernel between them, so it has no sign; they are linked if any weight of the kernel is left. A linear
        layer behind a flattened convolution sums up the columns of a channel in the same way.

        Raises:
            InputError: if layers are shared, recurrent or unknown, if the signal branches, or a weight is NaN.
        """
        from karikomi.networks.architecture import Architecture  # loads torch

        architecture = Architecture(module)
        architecture.require_chain()
        weights = {
            layer.weight: attrgetter(layer.weight)(module).detach().cpu().numpy() for layer in architecture.layers
        }
        return cls._of(architecture, weights, {name: weight != 0 for name, weight in weights.items()})

    @classmethod
    def _of(cls, architecture: Architecture, weights: Arrays, masks: Arrays) -> Self:
        architecture.require_chain()
        gaps = [_between_units(layer, weights[layer.weight], masks[layer.weight]) for layer in architecture.layers]
        names = (layer.name or "outputs" for layer in architecture.layers)
        return cls((INPUTS, *names), *zip(*gaps, strict=True))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units in each layer."""
        return (self.masks[0].shape[1], *(len(mask) for mask in self.masks))

    @property
    def nodes(self) -> int:
        """How many units there are, inputs and outputs included."""
        return sum(self.sizes)

    @property
    def links(self) -> int:
        """How many links there are."""
        return sum(int(mask.sum()) for mask in self.masks)

    @property
    def layer_of(self) -> np.ndarray:
        """For every node the number of its layer, int64 ``[nodes]``."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def strengths(self) -> tuple[np.ndarray, ...]:
        """|w| per gap, ``[out, in]``."""
        return tuple(np.abs(weight) for weight in self.weights)

    @property
    def reversed(self) -> Self:
        """The graph with every link turned round; its first layer is the output layer."""
        turned = [tuple(array.T for array in arrays[::-1]) for arrays in (self.weights, self.masks)]
        return type(self)(self.layers[::-1], turned[0], turned[1])

    def lengths(self, distance: Distance) -> tuple[np.ndarray, ...]:
        """How long each link is, ``[out, in]`` per gap; infinite where there is none, or its weight is 0.

        Args:
            distance: ``inverse``: 1 / |w|; ``log``: −log(|w| / max |w|), the maximum over all layers; ``hops``: 1.

        Raises:
            InputError: for another distance.
        """
        if distance not in DISTANCES:
            raise unknown("distance", distance, DISTANCES)
        if distance == "hops":
            return tuple(np.where(mask, 1.0, np.inf) for mask in self.masks)
        with np.errstate(divide="ignore", over="ignore"):
            if distance == "inverse":
                return tuple(1 / strength for strength in self.strengths)
            strongest = max(strength.max() for strength in self.strengths) or 1.0
            return tuple(-np.log(strength / strongest) for strength in self.strengths)

    def per_layer(self, arrays: Iterable[np.ndarray]) -> PerLayer:
        """Arrays in the order of the layers, by the layers' names."""
        return dict(zip(self.layers, arrays, strict=True))

    def to_networkx(self) -> nx.DiGraph[int]:
        """The graph for networkx.

        Nodes are 0, 1, …, layer by layer, with the attributes ``layer`` (its name) and ``unit`` (its place in the
        layer); links have ``weight``, ``strength`` = \\|w\\| and ``distance`` = 1 / \\|w\\|. Where a link's weight is 0
        its distance is infinite; leave such links out before looking for shortest paths.
        """
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        starts = np.cumsum((0, *self.sizes)).tolist()
        for name, start, size in zip(self.layers, starts, self.sizes, strict=False):
            graph.add_nodes_from((start + unit, {"layer": name, "unit": unit}) for unit in range(size))
        lengths = self.lengths("inverse")
        for start, mask, weight, length in zip(starts, self.masks, self.weights, lengths, strict=False):
            from_unit, to_unit = np.nonzero(mask.T)
            columns = (
                (from_unit + start).tolist(),
                (to_unit + start + mask.shape[1]).tolist(),
                weight.T[from_unit, to_unit].tolist(),
                length.T[from_unit, to_unit].tolist(),
            )
            graph.add_edges_from(
                (u, v, {"weight": w, "strength": abs(w), "distance": d}) for u, v, w, d in zip(*columns, strict=True)
            )
        return graph

    def write_graphml(self, path: str | Path) -> None:
        """Write the graph of :meth:`to_networkx` as GraphML, whole or not at all.

        Raises:
            InputError: if the file cannot be written.
        """
        import networkx as nx

        content = io.BytesIO()
        nx.write_graphml(self.to_networkx(), content)
        try:
            write_whole(Path(path), content.getvalue())
        except OSError as problem:
            raise InputError(f"cannot write {path}: {problem.strerror}") from problem


def _between_units(layer: Layer, weight: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight and mask ``[out, in]`` between the units of a layer and those that it reads.

    Of kernels, and of the columns of a flattened channel, the L1 norm.
    """
    weight, [reading] = np.asarray(weight, np.float64), layer.reads
    if weight.ndim == 2 and reading.places == 1:
        return weight, mask
    rows, columns = reading.shape
    between, links = (np.zeros((rows, reading.groups * columns // reading.places), kind) for kind in (float, int))
    ends = np.arange(rows)[:, None], reading.units
    np.add.at(between, ends, np.abs(weight).reshape(rows, columns, -1).sum(axis=2))
    np.add.at(links, ends, mask.reshape(rows, columns, -1).sum(axis=2))
    return between, links > 0
