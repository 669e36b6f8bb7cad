"""A network as a layered graph: a node per unit, a link per surviving weight."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from karikomi.errors import InputError, unknown
from karikomi.runs.files import write_whole

if TYPE_CHECKING:
    import networkx as nx
    from torch import nn

    from karikomi.networks.subnetwork import Subnetwork

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
    """A directed graph whose links lead from layers to later ones: in a chain to the next, in other networks to any.

    Attributes:
        layers: a name for every layer, the inputs first; every link leads to a layer behind.
        weights: per block, which is all that leads from one layer to another, a float64 array ``[out, in]``, 0 where
            there is no link.
        masks: per block a bool array ``[out, in]``: where there is a link. A link may have the weight 0: it counts as
            a link, but adds nothing to a strength and is infinitely long by weight (1 / 0), so no path takes it.
        pairs: per block the numbers of the layers that its links lead from and to. By default the layers are a chain:
            a block from each to the next.

    Nodes are numbered layer by layer. The arrays are copies, and read-only.

    Raises:
        InputError: where shapes do not fit together, or a weight is NaN or infinite.
    """

    layers: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        layers, masks = tuple(self.layers), tuple(np.array(mask, bool) for mask in self.masks)
        pairs = tuple(self.pairs) or tuple(pairwise(range(len(layers))))
        shapes = [np.shape(weight) for weight in self.weights]
        if shapes != [mask.shape for mask in masks] or len(shapes) != len(pairs) or not shapes:
            raise InputError(
                f"a layered graph needs a weight and a mask of one shape [out, in] per block, which in a chain are one"
                f" fewer than its layers; it has weights {shapes}, masks {[mask.shape for mask in masks]},"
                f" {len(layers)} layers"
            )
        if len(set(pairs)) < len(pairs) or any(not 0 <= first < last < len(layers) for first, last in pairs):
            raise InputError(f"a block leads from a layer to a later one, no two of them alike; they are {pairs}")
        ends = {end for pair, shape in zip(pairs, shapes, strict=True) for end in zip(pair, shape[::-1], strict=False)}
        if any(len(shape) != 2 or 0 in shape for shape in shapes) or not len(ends) == len(dict(ends)) == len(layers):
            raise InputError(
                f"the blocks must be [out, in], and give each layer one size; those of {pairs} are {shapes}"
            )
        if len(set(layers)) < len(layers):
            raise InputError(f"the layers of a graph need different names; they are {', '.join(layers)}")
        weights = tuple(
            np.where(mask, np.asarray(weight, np.float64), 0.0)
            for weight, mask in zip(self.weights, masks, strict=True)
        )
        for (_, last), weight in zip(pairs, weights, strict=True):
            if not np.isfinite(weight).all():
                raise InputError(
                    f"the weights of {layers[last]} contain NaN or infinite values; has its training diverged?"
                )
        for array in (*weights, *masks):
            array.setflags(write=False)
        for field, value in (("layers", layers), ("weights", weights), ("masks", masks), ("pairs", pairs)):
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        blocks = "" if self.is_chain else f"{len(self.pairs)} blocks, "
        return f"LayeredGraph({'-'.join(map(str, self.sizes))}, {blocks}{self.links:,} links)"

    @classmethod
    def from_subnetwork(cls, subnetwork: Subnetwork) -> Self:
        """The graph of a subnetwork: its masks say where links are. What may be in it: see :meth:`from_module`."""
        from karikomi.graphs.blocks import blocks  # loads torch

        return cls(*blocks(subnetwork.architecture, subnetwork))

    @classmethod
    def from_module(
        cls, module: nn.Module, inputs: tuple[Any, ...] | None = None, named: Mapping[str, Any] | None = None
    ) -> Self:
        """The graph of a plain module; a weight that is exactly 0 counts as removed.

        A module of linear and convolutional layers, in a chain or not. Activations, dropout, changes of shape, pooling
        and normalization between them are passed over: their scales are not in the weights of the graph, and no weight
        says how units that are normalized together change each other. Layers take the names of the module's parts; the
        first one is ``inputs`` (``inputs.0``, ``inputs.1``, … if there are several).

        Where signals are added, or put side by side, a layer that reads the sum reads every layer that writes into
        it: its weights are links from the units of each, and from the inputs if they are added too. A signal that
        reaches the outputs through no weight brings no link.

        A convolution is summed up by channel: a node is a channel, the weight between two of them the L1 norm of
        the kernel between them, so it has no sign; they are linked if any weight of the kernel is left. A linear
        layer behind a flattened convolution sums up the columns of a channel in the same way, and so does every
        layer that reads a unit by more than one column. A node of the inputs is the smallest part of them that weights
        read as one: a channel where there are convolutions, a single number before linear layers.

        Args:
            module: the network.
            inputs: some examples that it takes, in order; by default they are guessed, where layers are no chain.
            named: inputs by name.

        Raises:
            InputError: for what has no fixed weights between units (attention, gates, products of two signals), or
                links that lead back (recurrent layers, layers used again behind themselves); for embeddings; if the
                inputs cannot be guessed, or a weight is NaN.
        """
        from karikomi.graphs.blocks import blocks  # loads torch
        from karikomi.networks.architecture import Architecture

        return cls(*blocks(Architecture(module, inputs, named)))

    @property
    def is_chain(self) -> bool:
        """Whether all links lead to the next layer."""
        return self.pairs == tuple(pairwise(range(len(self.layers))))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Units in each layer."""
        sizes: dict[int, int] = {}
        for pair, mask in zip(self.pairs, self.masks, strict=True):
            sizes |= zip(pair, mask.shape[::-1], strict=True)
        return tuple(sizes[layer] for layer in range(len(self.layers)))

    @cached_property
    def into(self) -> tuple[tuple[int, ...], ...]:
        """For every layer the numbers of the blocks that lead to it."""
        ends = [last for _, last in self.pairs]
        return tuple(tuple(b for b, last in enumerate(ends) if last == layer) for layer in range(len(self.layers)))

    @property
    def hidden(self) -> tuple[str, ...]:
        """The layers between others: links lead to them, and on."""
        first, last = ({pair[end] for pair in self.pairs} for end in (0, 1))
        return tuple(self.layers[layer] for layer in sorted(first & last))

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
        """|w| per block, ``[out, in]``."""
        return tuple(np.abs(weight) for weight in self.weights)

    @property
    def reversed(self) -> Self:
        """The graph with every link turned round; its first layer is the output layer."""
        weights, masks = (tuple(array.T for array in arrays[::-1]) for arrays in (self.weights, self.masks))
        end = len(self.layers) - 1
        return type(self)(self.layers[::-1], weights, masks, tuple((end - b, end - a) for a, b in self.pairs[::-1]))

    def lengths(self, distance: Distance) -> tuple[np.ndarray, ...]:
        """How long each link is, ``[out, in]`` per block; infinite where there is none, or its weight is 0.

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
        for (first, last), mask, weight, length in zip(
            self.pairs, self.masks, self.weights, self.lengths("inverse"), strict=True
        ):
            from_unit, to_unit = np.nonzero(mask.T)
            columns = (
                (from_unit + starts[first]).tolist(),
                (to_unit + starts[last]).tolist(),
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
