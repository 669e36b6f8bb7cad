"""A modular network as tables: where its units and links are, and what passes between its groups."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from karikomi.graphs import LayeredGraph, whole_measure
from karikomi.networks.modular import Layout
from karikomi.networks.subnetwork import Arrays


def units(layout: Layout) -> pd.DataFrame:
    """A row per unit, inputs and outputs among them: layer, group and its place x, y."""
    frames = [
        pd.DataFrame({"layer": layer, "group": layout.groups[layer], "x": place[:, 0], "y": place[:, 1]})
        for layer, place in layout.positions.items()
    ]
    return pd.concat(frames, ignore_index=True)


def links(layout: Layout, chosen: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row per chosen link: layer, to, from (units of this layer and of the one before), and its ends x, y, x2, y2.

    Args:
        layout: where the units are.
        chosen: by weight which links, bool ``[out, in]``.
    """
    frames = []
    for before, layer in pairwise(layout.positions):
        to, source = np.nonzero(chosen[f"{layer}.weight"])
        (x, y), (x2, y2) = layout.positions[before][source].T, layout.positions[layer][to].T
        ends = {"x": x, "y": y, "x2": x2, "y2": y2}
        frames.append(pd.DataFrame({"layer": layer, "to": to, "from": source, **ends}))
    return pd.concat(frames, ignore_index=True)


def crossing(layout: Layout, masks: Arrays) -> pd.DataFrame:
    """The long-range links among ``masks`` as in :func:`links`, with the group that each comes from."""
    between = links(layout, {weight: masks[weight] & apart for weight, apart in layout.long_range().items()})
    before = {after: layer for layer, after in pairwise(layout.groups)}
    ends = zip(between["layer"], between["from"], strict=True)
    return between.assign(group=[layout.groups[before[layer]][source] for layer, source in ends])


def traffic(layout: Layout, masks: Arrays) -> pd.DataFrame:
    """What joins the hidden units of each group to those of each: a row per ordered pair of groups.

    Columns: from, to; links, and places, which is how many there could be; efficiency, the mean of 1 / d over ordered
    pairs of units, d in links, NaN where no link leads forward from a layer of the one to a layer of the other.
    """
    hidden = tuple(layout.groups)[1:-1]
    inner = [f"{layer}.weight" for layer in hidden[1:]]
    there, possible = layout.links(masks), layout.links()
    wiring = tuple(masks[weight] for weight in inner)
    graph = LayeredGraph(hidden, wiring, wiring)
    efficiency = np.asarray(whole_measure(graph, "group-efficiency-hops", communities=layout.groups))
    to, source = np.indices(efficiency.shape)
    columns = {"from": source, "to": to, "links": sum(there[weight] for weight in inner)}
    columns |= {"places": sum(possible[weight] for weight in inner), "efficiency": efficiency}
    return pd.DataFrame({name: np.asarray(column).ravel() for name, column in columns.items()})
