"""Orders hold every unit once, follow the scores, draw between equals, and match layers at every step."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.networks.mlp import mlp
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.orders import adaptive_order, in_proportion, layer_matched, order, random_order

SCORES = st.lists(st.integers(-3, 3).map(float) | st.floats(-1e300, 1e300) | st.just(np.inf), max_size=30)
DIRECTIONS = st.sampled_from(["low", "high"])


def generator(seed=0):
    return np.random.default_rng(seed)


def uniform(counts, outcomes):
    """Whether all outcomes are as frequent, within 5 standard deviations of a binomial."""
    draws, p = sum(counts.values()), 1 / outcomes
    return len(counts) == outcomes and all(
        abs(count - draws * p) < 5 * np.sqrt(draws * p * (1 - p)) for count in counts.values()
    )


@given(SCORES, DIRECTIONS, st.integers(0, 2**32))
def test_an_order_is_a_permutation_sorted_by_score(scores, direction, seed):
    scores = np.array(scores)
    found = order(scores, direction, generator(seed))
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(len(scores)))
    assert scores[found].tolist() == sorted(scores.tolist(), reverse=direction == "high")
    assert (found == order(scores, direction, generator(seed))).all()


@pytest.mark.parametrize("direction", ["low", "high"])
def test_ties_are_drawn_uniformly(direction):
    scores = np.array([2.0, 1, 2, 0, 2])
    counts = Counter(tuple(order(scores, direction, generator(seed)).tolist()) for seed in range(1200))
    assert {tuple(np.sort(scores[list(found)])) for found in counts} == {(0, 1, 2, 2, 2)}
    assert uniform(counts, 6)


def test_a_random_order_is_any_permutation():
    counts = Counter(tuple(random_order(3, generator(seed)).tolist()) for seed in range(1200))
    assert counts.keys() == set(permutations(range(3)))
    assert uniform(counts, 6)


def test_nan_is_refused():
    with pytest.raises(InputError, match="1 of 3 units have the score NaN"):
        order(np.array([1.0, np.nan, 0]), "low", generator())


@given(st.lists(st.integers(1, 8), min_size=1, max_size=4), st.floats(0, 1), st.integers(0, 2**32))
def test_a_matched_order_takes_from_the_same_layer_at_every_step(sizes, share, seed):
    layer_of = np.repeat(np.arange(len(sizes)), sizes)
    targeted = generator(seed).permutation(len(layer_of))[: round(share * len(layer_of))]
    matched = layer_matched(targeted, layer_of, generator(seed + 1))
    assert matched.dtype == np.int64
    assert len(set(matched.tolist())) == len(targeted)
    assert (layer_of[matched] == layer_of[targeted]).all()


def test_a_matched_order_draws_from_all_units_of_the_layer():
    layer_of, targeted = np.array([0, 0, 0, 1, 1]), np.array([4, 1, 0])
    counts = Counter(tuple(layer_matched(targeted, layer_of, generator(seed)).tolist()) for seed in range(2400))
    assert uniform(counts, 2 * 6)


def magnitudes(network):
    """Strength into a unit: falls in the second layer when the first loses units."""
    return np.concatenate([np.abs(network.weights[f"{name}.weight"]).sum(axis=1) for name in ("fc1", "fc2")])


@settings(max_examples=30)
@given(st.integers(0, 2**16), DIRECTIONS, st.integers(1, 9))
def test_an_adaptive_order_follows_the_scores_of_what_is_left(subnetwork, seed, direction, every):
    network = subnetwork(mlp((2, 3), [4, 3], 2), 1.0, seed)
    found = adaptive_order(magnitudes, network, direction, generator(seed), every)
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(7))
    rows = [np.abs(network.weights[f"{name}.weight"]) for name in ("fc1", "fc2")]
    for start in range(0, 7, every):
        gone, going = found[:start], found[start : start + every]
        second = np.delete(rows[1], gone[gone < 4], axis=1).sum(axis=1)
        scores = np.concatenate([rows[0].sum(axis=1), second])
        left = scores[np.setdiff1d(np.arange(7), gone)].tolist()
        assert scores[going] == pytest.approx(sorted(left, reverse=direction == "high")[:every], rel=1e-6)


def test_scored_once_an_adaptive_order_is_a_static_one(small):
    scored = []

    def score(network):
        scored.append(network.links)
        return magnitudes(network)

    found = adaptive_order(score, small, "high", generator(), every=7)
    assert found.tolist() == order(magnitudes(small), "high", generator()).tolist()
    assert scored == [small.links]


def test_what_is_gone_needs_no_score(subnetwork):
    def score(network):
        gone = (network.weights["fc1.bias"] == 0) & ~network.masks["fc1.weight"].any(axis=1)
        return np.where(gone, np.nan, np.arange(4.0))

    found = adaptive_order(score, subnetwork(mlp((2, 3), [4], 3)), "low", generator())
    assert found.tolist() == [0, 1, 2, 3]


def test_scoring_every_0_removals_is_refused(small):
    with pytest.raises(InputError, match="every must be at least 1; it is 0"):
        adaptive_order(magnitudes, small, "low", generator(), every=0)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=4), st.integers(0, 2**32))
def test_in_proportion_the_fullest_layer_loses_the_next_of_its_units(sizes, seed):
    layer_of = np.repeat(np.arange(len(sizes)), sizes)
    before = random_order(len(layer_of), generator(seed))
    found = in_proportion(before, layer_of)
    waiting = {layer: [unit for unit in before if layer_of[unit] == layer] for layer in range(len(sizes))}
    for unit in found:
        fullest = max(waiting, key=lambda layer: (len(waiting[layer]) / sizes[layer], -layer))
        assert unit == waiting[fullest].pop(0)
    # Those that are left go on as they would have gone.
    half = len(found) // 2
    left = np.array([unit for unit in before if unit in found[half:]], np.int64)
    assert (in_proportion(left, layer_of) == found[half:]).all()


@pytest.mark.parametrize("every", [1, 3, 20])
def test_an_adaptive_order_keeps_layers_in_proportion(every):
    network = Subnetwork.from_module(mlp((4,), [6, 3], 2))
    layer_of = np.repeat([0, 1], [6, 3])
    scores = np.arange(9.0)
    found = adaptive_order(lambda _: scores, network, "low", generator(), every, layer_of)
    assert found.tolist() == in_proportion(np.arange(9), layer_of).tolist()
