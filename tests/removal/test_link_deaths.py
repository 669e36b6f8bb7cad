"""Local and long-range links die in pairs: equal in number, layer and, nearly, in weight."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.networks import build, layout
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.mlp import mlp
from karikomi.networks.modular import Modular, wire
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.link_deaths import CALIPER, matched_link_deaths, scattered_link_deaths


def generator(seed=0):
    return np.random.default_rng(seed)


def modular(seed=0):
    """A modular network, and which of its links would be long-range."""
    module, settings = build("modular-3-12-31-30-12", (9,), 4), Modular(long_range=0.15)
    places = layout("modular-3-12-31-30-12", Architecture(module), settings)
    assert places is not None
    return initialize(
        Architecture(module), "kaiming", generator(seed), wire(places, settings, generator(seed))
    ), places.long_range()


def drawn(subnetwork, seed, share=0.4):
    """A random perceptron, half of whose links are called long-range in the inner gaps."""
    network: Subnetwork = subnetwork(mlp((3,), [12, 14, 10], 2), 0.8, seed)
    rng = generator(seed)
    inner = [*network.masks][1:-1]
    return network, {name: (rng.random(m.shape) < share) & (name in inner) for name, m in network.masks.items()}


def total(network, dead, name):
    return float(np.abs(network.weights[name][dead[name]]).sum(dtype=np.float64))


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.integers(1, 8), st.integers(1, 4))
def test_both_lose_the_same_number_and_nearly_the_same_weight_of_every_layer(subnetwork, seed, deaths, cycles):
    network, long_range = drawn(subnetwork, seed)
    local, far = matched_link_deaths(network, long_range, deaths, cycles, generator(seed))
    assert len(local) == len(far) == cycles
    for ours, theirs in zip(local, far, strict=True):
        assert sum(int(dead.sum()) for dead in ours.values()) == deaths
        for name, mask in network.masks.items():
            assert ours[name].sum() == theirs[name].sum()
            assert not (ours[name] & (~mask | long_range[name])).any()
            assert not (theirs[name] & ~(mask & long_range[name])).any()
            mean = np.abs(network.weights[name][mask]).mean(dtype=np.float64)
            apart = abs(total(network, ours, name) - total(network, theirs, name))
            assert apart <= CALIPER * mean * ours[name].sum() + 1e-6
    for schedule in (local, far):
        for name in network.masks:
            assert np.sum([dead[name] for dead in schedule], axis=0).max() <= 1, "a link dies once"


@settings(max_examples=20)
@given(st.integers(0, 2**16))
def test_where_every_long_range_link_has_a_twin_the_match_is_exact(subnetwork, seed):
    network, rng = subnetwork(mlp((3,), [8, 9, 7], 2), 1.0, seed), generator(seed)
    long_range = {name: np.zeros(mask.shape, bool) for name, mask in network.masks.items()}
    weights = dict(network.weights)
    for name in ("fc2.weight", "fc3.weight"):
        # Half of the places are long-range and hold the weights of others, with another sign.
        places = rng.permutation(weights[name].size)
        ours, theirs = np.split(places[: 2 * (len(places) // 3)], 2)
        weights[name] = weights[name].copy()
        weights[name].ravel()[ours] = -weights[name].ravel()[theirs]
        long_range[name].ravel()[ours] = True
    network = Subnetwork(network.architecture, weights, network.masks)
    everyone = sum(int(there.sum()) for there in long_range.values())
    local, far = matched_link_deaths(network, long_range, 5, everyone // 5, rng)
    for ours, theirs in zip(local, far, strict=True):
        for name in network.masks:
            sizes = [np.sort(np.abs(weights[name][dead[name]])) for dead in (ours, theirs)]
            assert (sizes[0] == sizes[1]).all()


def test_on_a_modular_network_the_weights_that_die_agree_within_a_hundredth():
    network, long_range = modular()
    local, far = matched_link_deaths(network, long_range, 10, 5, generator())
    for ours, theirs in zip(local, far, strict=True):
        sums = [sum(total(network, dead, name) for name in network.masks) for dead in (ours, theirs)]
        assert sums[0] == pytest.approx(sums[1], rel=0.01)


def test_long_range_links_die_anywhere(subnetwork):
    network, long_range = drawn(subnetwork, 3)
    twins = Subnetwork(network.architecture, {n: np.sign(w) for n, w in network.weights.items()}, network.masks)
    there = {name: mask & long_range[name] for name, mask in network.masks.items()}
    links, draws = sum(int(mask.sum()) for mask in there.values()), 400
    counts = {name: np.zeros(mask.shape, int) for name, mask in there.items()}
    for seed in range(draws):
        (dead,) = matched_link_deaths(twins, long_range, 20, 1, generator(seed)).long_range
        for name in counts:
            counts[name] += dead[name]
    p = 20 / links
    for name, mask in there.items():
        assert (np.abs(counts[name][mask] - draws * p) < 5 * np.sqrt(draws * p * (1 - p))).all()


def test_the_nearest_local_link_that_is_free_dies(subnetwork):
    network = subnetwork(mlp((1,), [1, 5, 1], 1))
    weights = {**network.weights, "fc2.weight": np.array([[1.0], [1.02], [-0.99], [5.0], [1.03]], np.float32)}
    long_range = {name: np.zeros(mask.shape, bool) for name, mask in network.masks.items()}
    long_range["fc2.weight"][1] = True
    network = Subnetwork(network.architecture, weights, network.masks)
    ((ours,), (theirs,)) = matched_link_deaths(network, long_range, 1, 1, generator())
    assert np.flatnonzero(ours["fc2.weight"]).tolist() == [4]
    assert np.flatnonzero(theirs["fc2.weight"]).tolist() == [1]


def test_a_network_without_long_range_links_is_refused(subnetwork):
    network, long_range = drawn(subnetwork, 0, share=0.0)
    with pytest.raises(InputError, match="the network has no long-range links that could die") as refused:
        matched_link_deaths(network, long_range, 1, 1, generator())
    assert "\n" not in str(refused.value)


def test_long_range_links_without_a_match_live(subnetwork):
    network, long_range = drawn(subnetwork, 1)
    weights = dict(network.weights)
    weights["fc2.weight"] = np.where(long_range["fc2.weight"], 100, 1) * weights["fc2.weight"]
    network = Subnetwork(network.architecture, weights, network.masks)
    with pytest.raises(InputError, match="60 long-range links cannot die in 3 cycles: of ") as refused:
        matched_link_deaths(network, long_range, 20, 3, generator())
    there, found = map(int, re.findall(r"of (\d+) only (\d+)", str(refused.value))[0])
    assert "\n" not in str(refused.value)
    assert there == sum(int((mask & long_range[name]).sum()) for name, mask in network.masks.items())
    assert found > 0
    (dead,) = matched_link_deaths(network, long_range, found, 1, generator()).long_range
    assert sum(int(mask.sum()) for mask in dead.values()) == found
    sizes = np.abs(weights["fc2.weight"])
    largest_local = sizes[network.masks["fc2.weight"] & ~long_range["fc2.weight"]].max()
    within = CALIPER * sizes[network.masks["fc2.weight"]].mean()
    assert (sizes[dead["fc2.weight"]] <= largest_local + within).all()


@given(st.integers(0, 2**16), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=20)
def test_scattered_deaths_are_as_many_of_every_layer_in_every_cycle(subnetwork, seed, deaths, cycles):
    network, long_range = drawn(subnetwork, seed)
    schedule = matched_link_deaths(network, long_range, deaths, cycles, generator(seed)).local
    scattered = scattered_link_deaths(schedule, network.masks, generator(seed))
    for dead, control in zip(schedule, scattered, strict=True):
        for name, mask in network.masks.items():
            assert dead[name].sum() == control[name].sum()
            assert not (control[name] & ~mask).any()
    for name in network.masks:
        assert np.sum([control[name] for control in scattered], axis=0).max() <= 1, "a link dies once"


def test_scattered_deaths_are_anywhere():
    masks = {"a.weight": np.arange(12).reshape(3, 4) < 10}
    schedule = [{"a.weight": np.arange(12).reshape(3, 4) < 2}] * 2
    counts = np.zeros((2, 3, 4), int)
    for seed in range(1000):
        counts += [dead["a.weight"] for dead in scattered_link_deaths(schedule, masks, generator(seed))]
    assert not counts[:, ~masks["a.weight"]].any()
    assert np.abs(counts[:, masks["a.weight"]] - 200).max() < 5 * np.sqrt(1000 * 0.2 * 0.8)
