"""Links go by magnitude and grow where they should: counts, order, draws."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karikomi.engines.contract import Links
from karikomi.graphs.prediction import ch3_l3
from karikomi.removal.rewiring import Decay, Growth, Rewiring


def rule(growth: Growth = "random", every=100, until=750, share=0.3, decay: Decay = "cosine", seed=0):
    return Rewiring(every, until, share, decay, growth, np.random.SeedSequence(seed))


def layer(shape, density, seed, ties=False):
    rng = np.random.default_rng(seed)
    places = np.flatnonzero(rng.random(shape) < density)
    draw = (lambda n: rng.integers(-2, 3, n)) if ties else rng.standard_normal
    weights, gradient = (draw(n).astype(np.float32) for n in (len(places), shape[0] * shape[1]))
    return Links(shape, places, weights, gradient)


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
    assert links.gradient is not None
    scores = {"gradient": np.abs(links.gradient)}
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


@pytest.mark.parametrize(("decay", "half"), [("cosine", 0.15), ("constant", 0.3)])
def test_the_share_falls_as_rigl_s(decay, half):
    one = rule(until=1000, decay=decay)
    assert one.share_at(500) == pytest.approx(half)
    assert one.share_at(0) == pytest.approx(0.3)
    assert list(rule(every=100, until=500).steps) == [100, 200, 300, 400]
