"""Links go by magnitude and grow where they should: counts, order, draws."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from karikomi.engines.contract import Growth, Links
from karikomi.engines.sparse.kernels.choosing import Room, nth
from karikomi.engines.sparse.kernels.draws import choose, state_of
from karikomi.graphs.prediction import ch3_l3
from karikomi.removal.rewiring import Decay, Rewiring


def rule(growth: Growth = "random", every=100, until=750, share=0.3, decay: Decay = "cosine", seed=0):
    return Rewiring(every, until, share, decay, growth, np.random.SeedSequence(seed))


def layer(shape, density, seed, ties=False):
    rng = np.random.default_rng(seed)
    places = np.flatnonzero(rng.random(shape) < density)
    draw = (lambda n: rng.integers(-2, 3, n)) if ties else rng.standard_normal
    weights, gradient = (draw(n).astype(np.float32) for n in (len(places), shape[0] * shape[1]))
    slopes = np.abs(gradient)

    def steepest(many):
        found = rng.permutation(np.flatnonzero(slopes >= np.sort(slopes)[-min(many, len(slopes))]))
        return found, slopes[found]

    return Links(shape, rng.permutation(places), weights, steepest)


@settings(deadline=None)  # the first example compiles
@given(
    st.sampled_from(get_args(Growth)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.floats(0, 1),
    st.floats(0.05, 1),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_as_many_grow_as_go_and_the_smallest_go(growth, shape, density, share, ties, seed):
    links = layer(shape, density, seed, ties)
    changes = rule(growth, share=share, decay="constant").change(100, {"a": links})
    size, count = shape[0] * shape[1], int(share * len(links.places))
    if len(links.places) == size or count == 0:
        assert not changes
        return
    kept, grown = changes["a"]
    assert (~kept).sum() == len(grown) == count
    assert (np.diff(grown) > 0).all()
    assert not np.isin(grown, links.places[kept]).any()
    assert grown.min() >= 0
    assert grown.max() < size
    sizes = np.abs(links.weights)
    assert kept.all() or not kept.any() or sizes[~kept].max() <= sizes[kept].min()
    assert links.steepest
    found, slopes = links.steepest(size)
    scores = {"gradient": slopes[np.argsort(found)]}
    if growth == "structure":
        mask = np.zeros(size, bool)
        mask[links.places[kept]] = True
        scores["structure"] = ch3_l3(mask.reshape(shape)).ravel()
    if growth != "random":
        passed_over = np.setdiff1d(np.arange(size), np.concatenate([links.places[kept], grown]))
        assert not len(passed_over) or scores[growth][grown].min() >= scores[growth][passed_over].max()


def test_random_growth_takes_every_free_place_alike():
    links = layer((5, 8), 0.3, 1)
    drawn = [rule(seed=seed, share=0.5).change(100, {"a": links})["a"] for seed in range(2000)]
    stays = links.places[drawn[0].kept]
    grown = np.bincount(np.concatenate([change.grown for change in drawn]), minlength=40)
    free = np.setdiff1d(np.arange(40), stays)
    assert grown[stays].sum() == 0
    assert stats.chisquare(grown[free]).pvalue > 1e-3


def test_a_change_depends_on_its_step_and_seed_alone():
    links, one = layer((20, 30), 0.2, 0), rule(seed=3, decay="constant")
    first = one.change(200, {"a": links})["a"].grown
    one.change(300, {"a": links})
    assert (one.change(200, {"a": links})["a"].grown == first).all()
    assert (one.change(300, {"a": links})["a"].grown != first).any()
    assert (rule(seed=4, decay="constant").change(200, {"a": links})["a"].grown != first).any()


def test_a_network_that_diverged_changes_too():
    links = layer((20, 30), 0.2, 0)
    links.weights[::2] = np.nan
    for growth in ("random", "gradient"):
        kept, grown = rule(growth, share=0.4, decay="constant").change(100, {"a": links})["a"]
        assert (~kept).sum() == len(grown) == int(0.4 * len(kept))
        assert kept[::2].all()


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(1, 40_000), st.floats(0, 1), st.booleans()), min_size=1, max_size=4),
)
def test_draws_are_those_of_numpy(seed, wanted):
    draws, rng, room = state_of(seed), np.random.default_rng(seed), Room.of(1, 40_000)
    for many, share, shuffle in wanted:
        expected = rng.choice(many, int(share * many), replace=False, shuffle=shuffle)
        choose(draws, many, len(expected), shuffle, room.drawn, room.others)
        there = np.unpackbits(room.drawn.view(np.uint8), count=many, bitorder="little")
        np.testing.assert_array_equal(np.flatnonzero(there), np.sort(expected))


@settings(deadline=None)
@given(
    arrays(st.sampled_from([np.float32, np.float64]), st.integers(1, 50), elements=st.floats(0, width=32)), st.data()
)
def test_the_nth_number_is_that_of_a_sorted_array(numbers, data):
    whole, rank = numbers.view(f"i{numbers.itemsize}"), data.draw(st.integers(0, len(numbers) - 1))
    room = Room.of(1, 50)
    assert nth(whole, len(whole), rank, np.empty_like(whole), room.counts) == np.sort(whole)[rank]


@pytest.mark.parametrize(("decay", "half"), [("cosine", 0.15), ("constant", 0.3)])
def test_the_share_falls_as_rigl_s(decay, half):
    one = rule(until=1000, decay=decay)
    assert one.share_at(500) == pytest.approx(half)
    assert one.share_at(0) == pytest.approx(0.3)
    assert list(rule(every=100, until=500).steps) == [100, 200, 300, 400]
