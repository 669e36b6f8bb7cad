"""Tables of a modular network against every link and every way counted one by one."""

from itertools import pairwise, product

import networkx as nx
import numpy as np
import pytest

from karikomi.networks import build, layout
from karikomi.networks.architecture import Architecture
from karikomi.networks.modular import Layout, Modular, wire
from karikomi.networks.subnetwork import Arrays
from karikomi.studies.ageing import regions

Wired = tuple[Layout, Arrays]


@pytest.fixture(scope="module", params=["modular-3-5-7-4", "modular-2-4-6-5-6-3"])
def wired(request: pytest.FixtureRequest) -> Wired:
    modular = Modular(within=0.8, long_range=0.3, entry=1, exit=0)
    places = layout(request.param, Architecture(build(request.param, (6,), 3)), modular)
    assert places is not None
    return places, wire(places, modular, np.random.default_rng(2))


def every_link(places: Layout, masks: Arrays) -> "nx.DiGraph[tuple[str, int]]":
    graph: nx.DiGraph[tuple[str, int]] = nx.DiGraph()
    graph.add_nodes_from((layer, unit) for layer, group in places.groups.items() for unit in range(len(group)))
    for (before, after), mask in zip(pairwise(places.groups), masks.values(), strict=True):
        graph.add_edges_from(((before, j), (after, i)) for i, j in zip(*np.nonzero(mask), strict=True))
    return graph


def group_of(places: Layout, node: tuple[str, int]) -> int:
    return int(places.groups[node[0]][node[1]])


def test_units_have_their_group_and_place(wired: Wired) -> None:
    places, _ = wired
    table = regions.units(places)
    for layer, group in places.groups.items():
        its = table[table["layer"] == layer]
        assert its["group"].tolist() == group.tolist()
        np.testing.assert_array_equal(its[["x", "y"]], places.positions[layer])
    assert len(table) == sum(map(len, places.groups.values()))


def test_links_go_from_unit_to_unit(wired: Wired) -> None:
    places, masks = wired
    before = {after: layer for layer, after in pairwise(places.groups)}
    rows = regions.links(places, masks).to_dict("records")
    found = [((before[row["layer"]], row["from"]), (row["layer"], row["to"])) for row in rows]
    assert len(found) == len(set(found))
    assert set(found) == set(every_link(places, masks).edges)
    for row, ((one, j), (other, i)) in zip(rows, found, strict=True):
        ends = [*places.positions[one][j], *places.positions[other][i]]
        assert [row["x"], row["y"], row["x2"], row["y2"]] == ends


def test_crossing_are_the_links_between_groups(wired: Wired) -> None:
    places, masks = wired
    before = {after: layer for layer, after in pairwise(places.groups)}
    rows = regions.crossing(places, masks).to_dict("records")
    expected = {(u, v) for u, v in every_link(places, masks).edges if group_of(places, u) != group_of(places, v)}
    assert {((before[row["layer"]], row["from"]), (row["layer"], row["to"])) for row in rows} == expected
    for row in rows:
        assert row["group"] == places.groups[before[row["layer"]]][row["from"]]


def test_traffic_is_that_of_hidden_units(wired: Wired) -> None:
    places, masks = wired
    order = list(places.groups)
    graph = every_link(places, masks)
    graph.remove_nodes_from([node for node in graph if node[0] in ("inputs", "output")])
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    for row in regions.traffic(places, masks).to_dict("records"):
        starts, ends = ([n for n in graph if group_of(places, n) == row[which]] for which in ("from", "to"))
        pairs = [(u, v, order.index(v[0]) - order.index(u[0])) for u, v in product(starts, ends)]
        assert row["places"] == sum(apart == 1 for *_, apart in pairs)
        assert row["links"] == sum(graph.has_edge(u, v) for u, v, _ in pairs)
        near = [1 / lengths[u][v] if v in lengths[u] else 0.0 for u, v, apart in pairs if apart > 0]
        assert row["efficiency"] == pytest.approx(np.mean(near) if near else np.nan, nan_ok=True)
