"""Removal is exact: counts, nesting, ties, scopes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.removal.masks import links_left, remove_links, shuffle_links

SHAPES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4)


def layers(shapes, seed, ties=False):
    rng = np.random.default_rng(seed)
    masks = {f"l{i}": rng.random(shape) < 0.7 for i, shape in enumerate(shapes)}
    draw = (lambda shape: rng.integers(0, 3, shape).astype(float)) if ties else rng.standard_normal
    return masks, {name: draw(mask.shape) for name, mask in masks.items()}, rng


@given(SHAPES, st.integers(0, 2**32), st.floats(0, 1), st.booleans())
def test_layer_scope_leaves_exactly_the_links_asked_for_and_the_lowest_go(shapes, seed, share, ties):
    masks, scores, rng = layers(shapes, seed, ties)
    left = {name: round(share * mask.sum()) for name, mask in masks.items()}
    after = remove_links(masks, scores, left, rng)
    for name, mask in masks.items():
        assert after[name].sum() == left[name]
        assert not (after[name] & ~mask).any(), "masks only shrink"
        gone = mask & ~after[name]
        if gone.any() and after[name].any():
            assert scores[name][gone].max() <= scores[name][after[name]].min()


@given(SHAPES, st.integers(0, 2**32), st.floats(0, 1))
def test_global_scope_is_layer_scope_on_one_joined_layer(shapes, seed, share):
    masks, scores, rng = layers(shapes, seed)
    left = round(share * sum(mask.sum() for mask in masks.values()))
    joined_mask = np.concatenate([mask.ravel() for mask in masks.values()])[None]
    joined_scores = np.concatenate([score.ravel() for score in scores.values()])[None]
    expected = remove_links({"all": joined_mask}, {"all": joined_scores}, {"all": left}, np.random.default_rng(0))
    after = remove_links(masks, scores, left, rng)
    assert np.concatenate([mask.ravel() for mask in after.values()]).tolist() == expected["all"].ravel().tolist()


def test_ties_are_decided_by_the_draw_and_every_tied_link_can_go():
    masks, scores = {"a": np.ones((1, 6), bool)}, {"a": np.array([[1.0, 1, 1, 1, 9, 0]])}
    survivors = [remove_links(masks, scores, {"a": 3}, np.random.default_rng(seed))["a"] for seed in range(200)]
    counts = np.sum(survivors, axis=0).ravel()
    assert counts[4] == 200
    assert counts[5] == 0
    # Two of four tied links stay, each in half of the draws; 5 standard deviations of a binomial.
    assert np.abs(counts[:4] - 100).max() < 5 * np.sqrt(200 / 4)
    again = remove_links(masks, scores, {"a": 3}, np.random.default_rng(7))["a"]
    assert (again == survivors[7]).all()


@given(SHAPES, st.integers(0, 2**32))
def test_shuffling_keeps_every_layers_count_and_stays_where_links_can_be(shapes, seed):
    masks, scores, rng = layers(shapes, seed)
    among = {name: mask | (scores[name] > np.median(scores[name])) for name, mask in masks.items()}
    shuffled = shuffle_links(masks, among, rng)
    assert {n: (m.shape, m.sum()) for n, m in shuffled.items()} == {n: (m.shape, m.sum()) for n, m in masks.items()}
    assert not any((shuffled[name] & ~among[name]).any() for name in masks)


def test_shuffling_moves_links_everywhere_alike():
    mask, among = {"a": np.arange(14).reshape(2, 7) < 5}, {"a": np.arange(14).reshape(2, 7) < 10}
    rng = np.random.default_rng(0)
    counts = np.sum([shuffle_links(mask, among, rng)["a"] for _ in range(400)], axis=0)
    assert np.abs(counts[among["a"]] - 200).max() < 5 * np.sqrt(400 / 4)


def test_nothing_given_is_changed():
    masks, scores, rng = layers([(4, 5), (3, 4)], 0)
    before = [array.copy() for array in (*masks.values(), *scores.values())]
    remove_links(masks, scores, {"l0": 1, "l1": 2}, rng)
    remove_links(masks, scores, 3, rng)
    shuffle_links(masks, masks, rng)
    assert all((a == b).all() for a, b in zip(before, (*masks.values(), *scores.values()), strict=True))


@given(st.integers(1, 10**6), st.floats(0.01, 0.9), st.integers(0, 30))
def test_links_left_follows_the_formula_within_half_a_link(links, rate, rounds):
    assert abs(links_left(links, rate, rounds) - links * (1 - rate) ** rounds) <= 0.5


def test_nan_scores_and_impossible_counts_are_refused():
    masks, scores, rng = layers([(4, 5)], 0)
    with pytest.raises(InputError, match="NaN"):
        remove_links(masks, {"l0": np.full((4, 5), np.nan)}, {"l0": 1}, rng)
    with pytest.raises(InputError, match="cannot leave 99 links"):
        remove_links(masks, scores, {"l0": 99}, rng)
    with pytest.raises(InputError, match="cannot leave 99 links"):
        remove_links(masks, scores, 99, rng)
