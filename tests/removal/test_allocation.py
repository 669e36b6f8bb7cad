"""How many links layers keep: totals met to the link, proportions of the papers, nothing beyond what there is."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.allocation import erdos_renyi_kernel, lamp, prune, uniform
from karikomi.removal.connection import cut_off
from karikomi.removal.masks import remove_links

SHAPES = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=4)
LENET = {"fc1": np.ones((300, 784), bool), "fc2": np.ones((100, 300), bool), "output": np.ones((10, 100), bool)}


def some_masks(shapes, seed):
    rng = np.random.default_rng(seed)
    return {f"l{i}": rng.random(shape) < 0.8 for i, shape in enumerate(shapes)}


@given(SHAPES, st.integers(0, 99), st.floats(0, 1))
def test_totals_are_met_to_the_link_and_no_layer_is_asked_for_more_than_it_has(shapes, seed, share):
    masks = some_masks(shapes, seed)
    assume(all(mask.any() for mask in masks.values()))
    links = {name: int(mask.sum()) for name, mask in masks.items()}
    left = round(share * sum(links.values()))
    for allocate in (uniform, erdos_renyi_kernel):
        kept = allocate(masks, left)
        assert sum(kept.values()) == left
        assert all(0 <= kept[name] <= links[name] for name in masks)
    even = uniform(masks, left)
    assert all(abs(even[name] - share * links[name]) < 1.5 for name in masks)


def test_erdos_renyi_densities_are_as_one_over_the_harmonic_mean_of_the_units():
    """ε (n_in + n_out) / (n_in n_out); a layer that would need more than 1 is whole, and the others share the rest."""
    kept = erdos_renyi_kernel(LENET, 13_310)  # 5 %
    density = {name: kept[name] / LENET[name].size for name in LENET}
    assert density["fc2"] / density["fc1"] == pytest.approx((400 / 30_000) / (1084 / 235_200), rel=1e-3)
    assert density["output"] / density["fc1"] == pytest.approx((110 / 1_000) / (1084 / 235_200), rel=1e-3)
    whole = erdos_renyi_kernel(LENET, 53_240)  # 20 %
    assert whole["output"] == 1_000
    rest = {name: whole[name] / LENET[name].size for name in ("fc1", "fc2")}
    assert rest["fc2"] / rest["fc1"] == pytest.approx((400 / 30_000) / (1084 / 235_200), rel=1e-3)


def test_kernels_count_their_sides():
    masks = {"conv": np.ones((8, 4, 3, 5), bool), "fc": np.ones((10, 20), bool)}
    kept = erdos_renyi_kernel(masks, 100)
    assert kept["conv"] / kept["fc"] == pytest.approx((8 + 4 + 3 + 5) / (10 + 20), rel=0.03)


@given(SHAPES, st.integers(0, 99))
def test_lamp_is_the_square_over_the_squares_that_are_no_lower(shapes, seed):
    masks = some_masks(shapes, seed)
    scores = {name: np.random.default_rng(seed).random(mask.shape) for name, mask in masks.items()}
    found = lamp(masks, scores)
    for name, mask in masks.items():
        alive = scores[name][mask]
        expected = [score**2 / (alive[alive >= score] ** 2).sum() for score in alive]
        np.testing.assert_allclose(found[name][mask], expected)
        if len(alive):
            assert found[name][mask].max() == 1
            assert alive[found[name][mask].argmax()] == alive.max()


@given(SHAPES, st.integers(0, 99))
def test_lamp_empties_no_layer_before_all_are_down_to_one_link(shapes, seed):
    masks = some_masks(shapes, seed)
    assume(all(mask.any() for mask in masks.values()))
    rng = np.random.default_rng(seed)
    scores = {name: 10.0 ** rng.integers(-9, 9) * (0.1 + rng.random(mask.shape)) for name, mask in masks.items()}
    left = remove_links(masks, lamp(masks, scores), len(masks), rng)
    assert all(mask.sum() == 1 for mask in left.values())


def test_lamp_refuses_negative_scores_in_one_line():
    with pytest.raises(InputError, match="allocation lamp needs scores from 0 up, and some in a are negative"):
        lamp({"a": np.ones((1, 2), bool)}, {"a": np.array([[-1.0, 2]])})


@pytest.mark.parametrize("left", [20, {"l0": 3, "l1": 17}])
def test_prunings_are_nested_of_equal_rate_and_see_new_scores(left):
    masks, seen = {"l0": np.ones((10, 10), bool), "l1": np.ones((10, 30), bool)}, []

    def scores(masks):
        seen.append(masks)
        return {name: np.random.default_rng(len(seen)).random(mask.shape) for name, mask in masks.items()}

    rng = np.random.default_rng(0)
    found = prune(masks, scores, left, rng, 5)
    total = [sum(int(mask.sum()) for mask in each.values()) for each in (*seen, found)]
    np.testing.assert_allclose(total[1:-1], [400 * (20 / 400) ** (k / 5) for k in range(1, 5)], rtol=0.1)
    assert total[-1] == 20
    for before, after in zip(seen, [*seen[1:], found], strict=True):
        assert not any((after[name] & ~before[name]).any() for name in masks)
    again = prune(masks, lambda masks: scores_of(masks, 1), left, np.random.default_rng(0))
    expected = remove_links(masks, scores_of(masks, 1), left, np.random.default_rng(0))
    assert all((again[name] == expected[name]).all() for name in masks)


def scores_of(masks, seed):
    return {name: np.random.default_rng(seed).random(mask.shape) for name, mask in masks.items()}


@given(st.integers(0, 10**6), st.floats(0.02, 0.4))
def test_layers_that_no_path_passes_are_networkxs(seed, density):
    network = initialize(Architecture(build("mlp-4-3", (5,), 2)), "glorot", np.random.default_rng(0))
    rng = np.random.default_rng(seed)
    masks = {name: rng.random(mask.shape) < density for name, mask in network.masks.items()}
    graph = nx.DiGraph()
    for layer, mask in enumerate(masks.values()):
        graph.add_edges_from(((layer, int(i)), (layer + 1, int(o))) for o, i in zip(*np.nonzero(mask), strict=True))
    reachable = {n for s in range(5) if (0, s) in graph for n in ({(0, s)} | nx.descendants(graph, (0, s)))}
    leading = {n for s in range(2) if (3, s) in graph for n in ({(3, s)} | nx.ancestors(graph, (3, s)))}
    passed = {end[0] for start, end in graph.edges if start in reachable and end in leading}
    expected = [name.removesuffix(".weight") for layer, name in enumerate(masks) if layer + 1 not in passed]
    assert cut_off(network.masked(masks)) == expected


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.branch, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = self.first(x).relu()
        return self.last(h + self.branch(h).relu())


def test_an_empty_branch_cuts_nothing_else_off():
    network = Subnetwork.from_module(Residual())
    masks = {**network.masks, "branch.weight": np.zeros((4, 4), bool)}
    assert cut_off(network) == []
    assert cut_off(network.masked(masks)) == ["branch"]


def test_where_links_make_no_graph_only_empty_layers_are_found():
    network = initialize(Architecture(build("gru", (8, 8), 3)), "pytorch", np.random.default_rng(0))
    name = list(network.masks)[-1]
    masks = {**network.masks, name: np.zeros(network.masks[name].shape, bool)}
    assert cut_off(network.masked(masks)) == [name.removesuffix(".weight")]
