"""Networks built in groups: who is where, which links there are, and that information has to cross."""

import math
import subprocess
import sys
from collections import Counter
from itertools import pairwise, product

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph, whole_measure
from karikomi.networks import build, group_count, layout
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.modular import Layout, Modular, lay_out, wire
from karikomi.networks.subnetwork import Subnetwork

NAME = "modular-5-20-63-62-20"
uneven = st.builds(
    lambda groups, first, extra, last: (groups, [first, *(groups + more for more in extra), last]),
    st.integers(2, 6),
    st.integers(1, 9),
    st.lists(st.integers(0, 12), min_size=1, max_size=3),
    st.integers(1, 9),
)


def named(name: str, modular: Modular, inputs: int = 49, classes: int = 10) -> tuple[nn.Module, Layout]:
    module = build(name, (inputs,), classes)
    found = layout(name, Architecture(module), modular)
    assert found is not None
    return module, found


def wired(name: str, modular: Modular, seed: int = 0) -> tuple[Subnetwork, Layout]:
    module, places = named(name, modular)
    masks = wire(places, modular, np.random.default_rng(seed))
    return initialize(Architecture(module), "glorot", np.random.default_rng(seed), masks), places


def logits(network: Subnetwork, x: torch.Tensor) -> torch.Tensor:
    weights = {name: torch.tensor(value) for name, value in network.weights.items()}
    return torch.func.functional_call(network.module, weights, (x,))


@given(uneven)
def test_every_inner_layer_is_divided_evenly_and_nobody_is_lost(shape: tuple[int, list[int]]) -> None:
    groups, hidden = shape
    module = build("-".join(map(str, ["modular", groups, *hidden])), (7,), 3)
    places = lay_out(Architecture(module), groups, 0, groups - 1)
    assert list(places.groups) == list(LayeredGraph.from_module(module).layers)
    assert [len(group) for group in places.groups.values()] == [7, *hidden, 3]
    assert [len(position) for position in places.positions.values()] == [7, *hidden, 3]
    (inputs, first, *inner, last, output) = places.groups.values()
    assert {*inputs, *first} == {0}
    assert {*last, *output} == {groups - 1}
    for group in inner:
        sizes = Counter(group.tolist())
        assert sorted(sizes) == list(range(groups))
        assert max(sizes.values()) - min(sizes.values()) <= 1
    assert len(places.unit_groups) == len(places.unit_positions) == sum(Architecture(module).hidden_units.values())


@given(uneven, st.integers(0, 1000))
def test_links_between_groups_are_counted_as_one_by_one(shape: tuple[int, list[int]], seed: int) -> None:
    groups, hidden = shape
    places = lay_out(
        Architecture(build("-".join(map(str, ["modular", groups, *hidden])), (7,), 3)), groups, groups - 1, 0
    )
    rng = np.random.default_rng(seed)
    masks = {name: rng.random(place.shape) < 0.3 for name, place in places.long_range().items()}
    everywhere, drawn, long_range = places.links(), places.links(masks), places.long_range()
    for (before, after), name in zip(pairwise(places.groups), masks, strict=True):
        possible, there = np.zeros((groups, groups), np.int64), np.zeros((groups, groups), np.int64)
        for (i, to), (j, of) in product(enumerate(places.groups[after]), enumerate(places.groups[before])):
            possible[to, of] += 1
            there[to, of] += masks[name][i, j]
            assert long_range[name][i, j] == (to != of)
        assert (everywhere[name] == possible).all()
        assert (drawn[name] == there).all()


@pytest.mark.parametrize("groups", [2, 3, 5, 9])
def test_groups_lie_apart_on_a_circle_and_units_round_their_centre(groups: int) -> None:
    places = lay_out(Architecture(build(f"modular-{groups}-30-40-41-30", (49,), 10)), groups, 0, groups // 2)
    position, group = places.unit_positions, places.unit_groups
    centres = np.array([position[group == g].mean(axis=0) for g in range(groups)])
    assert np.hypot(*centres.T) == pytest.approx(0.5, abs=0.02)
    assert centres[0] == pytest.approx([-0.5, 0], abs=0.02)
    apart = np.linalg.norm(position[:, None] - position, axis=2)
    assert (apart + np.eye(len(position)) > 1e-3).all(), "each has a place of its own"
    assert (centres[1] - centres[0])[1] > 0 or groups == 2, "clockwise from the left goes up first"
    nearest = np.linalg.norm(position[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == group).all()
    outside = np.concatenate([places.positions["inputs"], places.positions["output"]])
    assert np.linalg.norm(outside[:, None] - position, axis=2).min() > 0.02


def test_any_neighbourhood_has_units_of_every_layer_of_the_group() -> None:
    _, places = named("modular-4-80-160-160-80", Modular())
    layer = np.repeat(np.arange(4), [80, 160, 160, 80])
    for seed in np.flatnonzero(places.unit_groups == 0):
        distance = np.linalg.norm(places.unit_positions - places.unit_positions[seed], axis=1)
        assert set(layer[np.argsort(distance)[:32]]) == {0, 1, 2}


def test_distances_are_those_between_the_places() -> None:
    _, places = named(NAME, Modular())
    distances = places.distances()
    for (before, after), (name, distance) in zip(pairwise(places.positions), distances.items(), strict=True):
        assert name == f"{after}.weight"
        a, b = places.positions[after][-1], places.positions[before][3]
        assert distance[-1, 3] == pytest.approx(math.dist(a, b))
    assert max(distances[name].max() for name in list(distances)[1:-1]) < 1.5


@given(uneven, st.integers(0, 1000), st.floats(0.1, 1), st.floats(0.05, 1), st.sampled_from([None, 0.3, 2.0]))
def test_links_are_those_drawn_that_are_on_a_path(
    shape: tuple[int, list[int]], seed: int, within: float, long_range: float, reach: float | None
) -> None:
    groups, hidden = shape
    modular = Modular(within, long_range, reach, entry=groups - 1, exit=0)
    places = lay_out(
        Architecture(build("-".join(map(str, ["modular", groups, *hidden])), (3,), 2)), groups, groups - 1, 0
    )
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph()
    for gap, ((before, after), drawn) in enumerate(
        zip(pairwise(places.groups), [rng.random(d.shape) for d in places.distances().values()], strict=True)
    ):
        for i, j in product(*map(range, drawn.shape)):
            chance = within
            if gap in (0, len(hidden)):
                chance = 1.0
            elif places.groups[after][i] != places.groups[before][j]:
                apart = math.dist(places.positions[after][i], places.positions[before][j])
                chance = long_range * (1 if reach is None else math.exp(-apart / reach))
            if drawn[i, j] < chance:
                graph.add_edge((before, j), (after, i))
    reached = {node for n in range(3) for node in nx.descendants(graph, ("inputs", n)) | {("inputs", n)}}
    useful = {node for n in range(2) for node in nx.ancestors(graph, ("output", n)) | {("output", n)}}
    if ("output", 0) not in reached:
        with pytest.raises(InputError, match=f"crosses from group {groups - 1} to group 0 in this draw; raise"):
            wire(places, modular, np.random.default_rng(seed))
        return
    masks = wire(places, modular, np.random.default_rng(seed))
    for (before, after), mask in zip(pairwise(places.groups), masks.values(), strict=True):
        there = {((before, j), (after, i)) for i, j in zip(*np.nonzero(mask), strict=True)}
        wanted = {(u, v) for u, v in graph.edges if v[0] == after and u in reached and v in useful}
        assert there == wanted


def test_a_full_wiring_has_every_link_within_and_between_groups() -> None:
    _, places = named(NAME, Modular(long_range=1))
    masks = wire(places, Modular(long_range=1), np.random.default_rng(0))
    assert all(mask.all() for mask in masks.values())


@pytest.mark.parametrize("reach", [None, 1.0])
def test_links_are_as_many_as_their_probability_says(reach: float | None) -> None:
    modular = Modular(within=0.6, long_range=0.3, reach=reach)
    _, places = named("modular-5-100-205-203-100", modular)
    masks = wire(places, modular, np.random.default_rng(0))
    assert all(mask.any(axis=0).all() and mask.any(axis=1).all() for mask in masks.values()), "every unit is in use"
    distance, between = places.distances()["fc3.weight"], places.long_range()["fc3.weight"]
    links = masks["fc3.weight"]
    chance = np.where(between, 0.3 * (1 if reach is None else np.exp(-distance / reach)), 0.6)
    for near in np.array_split(np.argsort(distance, axis=None), 8):
        p, there = chance.ravel()[near], links.ravel()[near]
        assert abs(there.sum() - p.sum()) < 5 * math.sqrt((p * (1 - p)).sum())


def test_a_higher_probability_only_adds_links() -> None:
    _, places = named(NAME, Modular())
    few, many = (wire(places, Modular(long_range=p), np.random.default_rng(3)) for p in (0.05, 0.2))
    assert all((few[name] <= many[name]).all() for name in few)
    assert few["fc2.weight"].sum() < many["fc2.weight"].sum()


@pytest.mark.parametrize("modular", [Modular(), Modular(exit=4), Modular(within=0.4, reach=0.5, entry=3, exit=1)])
def test_without_long_range_links_every_answer_is_the_same(modular: Modular) -> None:
    network, places = wired("modular-5-50-100-100-50", modular)
    dead = network.masked({name: mask & ~places.long_range()[name] for name, mask in network.masks.items()})
    x = torch.rand(20, 49)
    assert logits(network, x).std(dim=0).min() > 0
    assert (logits(dead, x) == logits(dead, x)[0]).all()
    assert whole_measure(LayeredGraph.from_subnetwork(dead), "outputs-reached") == 0


def test_with_one_group_for_both_ends_nothing_has_to_cross() -> None:
    network, places = wired(NAME, Modular(long_range=0, entry=3, exit=3))
    assert not any((mask & places.long_range()[name]).any() for name, mask in network.masks.items())
    assert logits(network, torch.rand(20, 49)).std(dim=0).min() > 0


def test_matched_has_as_many_links_in_every_gap_anywhere() -> None:
    modular, matched = Modular(long_range=0.1), Modular(long_range=0.1, control="matched")
    network, places = wired("modular-5-50-100-100-50", modular)
    control, same = wired("modular-5-50-100-100-50", matched)
    counts = [{name: int(mask.sum()) for name, mask in each.masks.items()} for each in (network, control)]
    assert counts[0] == counts[1]
    within, possible = same.links(control.masks)["fc3.weight"], same.links()["fc3.weight"]
    density = within.sum() / possible.sum()
    assert np.trace(within) == pytest.approx(density * np.trace(possible), rel=0.15)
    modularity = [
        whole_measure(LayeredGraph.from_subnetwork(each), "bipartite-modularity", communities=places.groups)
        for each in (network, control)
    ]
    assert modularity[0] > 0.1 > modularity[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("modular", r"not of the form modular-<groups>-<h1>"),
        ("modular-5-400-400", "at least three hidden layers"),
        ("modular-5-10-4-10", "2 groups or more, and a unit for each in all hidden layers"),
        ("modular-1-10-40-10", "needs 2 groups or more"),
        ("modlar-5-10-40-10", r"There are: .*modular-<groups>-<h1>-<h2>-<h3>-…"),
    ],
)
def test_wrong_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        build(name, (3,), 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("modular", "message"),
    [
        (lambda: Modular(within=0), "within is a probability above 0, at most 1; it is 0"),
        (lambda: Modular(long_range=1.5), "long_range is a probability, 0 to 1; it is 1.5"),
        (lambda: Modular(long_range=math.nan), "long_range is a probability, 0 to 1; it is nan"),
        (lambda: Modular(reach=0), "reach is a distance above 0, or none; it is 0"),
        (
            lambda: Modular(control="match"),  # pyright: ignore[reportArgumentType]
            "did you mean 'matched'",
        ),
        (lambda: Modular(exit=5).ends(5), "exit is group 5; there are 5, numbered 0 to 4"),
        (lambda: Modular(entry=-1).ends(5), "entry is group -1; there are 5, numbered 0 to 4"),
        (lambda: Modular(long_range=0).ends(5), "with long_range 0 nothing crosses from group 0 to group 2; raise"),
    ],
)
def test_wrong_settings_are_refused(modular, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        modular()
    assert "\n" not in str(refused.value)


def test_a_draw_that_nothing_can_cross_says_what_to_raise() -> None:
    with pytest.raises(InputError, match=r"in this draw; raise long_range, which is 1e-06, .*, or reach, which is 0.1"):
        wired(NAME, Modular(long_range=1e-6, reach=0.1))


def test_other_networks_have_no_groups() -> None:
    assert group_count("lenet-300-100") is None
    assert layout("mlp-20", Architecture(build("mlp-20", (3,), 2)), Modular()) is None


def test_settings_are_checked_without_loading_torch() -> None:
    code = (
        "import sys; from karikomi.networks import group_count; from karikomi.networks.modular import Modular;"
        f"Modular().ends(group_count({NAME!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
