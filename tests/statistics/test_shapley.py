"""Against the definition over all subsets, and against a loop over orders."""

from collections.abc import Callable
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.statistics import interaction, marginals, shapley

Game = Callable[[frozenset[int]], int]


def _game(units: int, seed: int) -> Game:
    """Right answers for every set of units, at random."""
    rng = np.random.default_rng(seed)
    subsets = [frozenset(c) for size in range(units + 1) for c in combinations(range(units), size)]
    return dict(zip(subsets, rng.integers(0, 10_000, len(subsets)).tolist(), strict=True)).__getitem__


def _curve(value: Game, order: list[int]) -> list[int]:
    return [value(frozenset(order[step:])) for step in range(len(order) + 1)]


@given(st.integers(1, 5), st.integers(0, 1000))
def test_all_orders_give_the_values_of_the_definition(units, seed):
    value = _game(units, seed)
    orders = [list(order) for order in permutations(range(units))]
    expected = [
        sum(
            (value(frozenset(c) | {unit}) - value(frozenset(c))) / (units * comb(units - 1, size))
            for size in range(units)
            for c in combinations(sorted(set(range(units)) - {unit}), size)
        )
        for unit in range(units)
    ]
    found = shapley(np.array([_curve(value, order) for order in orders]), np.array(orders))
    assert found.values == pytest.approx(np.array(expected))


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 1000))
def test_every_order_shares_out_the_whole_loss_exactly(units, count, seed):
    value, rng = _game(units, seed), np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(units), (count, 1)), axis=1)
    whole = value(frozenset(range(units))) - value(frozenset())
    each = marginals(np.array([_curve(value, row) for row in orders.tolist()]), orders)
    assert (each.sum(axis=1) == whole).all()


def test_losses_in_floats_are_shared_out_to_rounding():
    rng = np.random.default_rng(0)
    losses = rng.random((20, 513))
    orders = rng.permuted(np.tile(np.arange(512), (20, 1)), axis=1)
    assert marginals(losses, orders).sum(axis=1) == pytest.approx(losses[:, 0] - losses[:, -1], abs=1e-13)


def test_values_and_errors_are_those_of_a_loop():
    rng = np.random.default_rng(1)
    units = np.array([256, 3, 90, 17])  # numbers of one layer's units need not start at 0
    orders = rng.permuted(np.tile(units, (30, 1)), axis=1)
    curves = rng.integers(0, 100, (30, 5))
    drops: dict[int, list[int]] = {unit: [] for unit in sorted(units.tolist())}
    for order, curve in zip(orders.tolist(), curves.tolist(), strict=True):
        for step, unit in enumerate(order):
            drops[unit].append(curve[step] - curve[step + 1])
    found = shapley(curves, orders)
    assert found.values == pytest.approx(np.array([np.mean(d) for d in drops.values()]))
    assert found.standard_errors == pytest.approx(np.array([np.std(d, ddof=1) / 30**0.5 for d in drops.values()]))


def test_one_order_has_no_error():
    found = shapley(np.array([[9, 5, 4]]), np.array([[1, 0]]))
    assert found.values.tolist() == [1, 4]
    assert np.isnan(found.standard_errors).all()


@pytest.mark.parametrize("orders", [[[0, 1], [0, 2]], [[0, 0], [0, 0]]])
def test_orders_must_remove_the_same_units(orders):
    with pytest.raises(InputError, match="all of the same units"):
        shapley(np.zeros((2, 3)), np.array(orders))


def test_curves_must_fit_the_orders():
    with pytest.raises(InputError, match=r"they are \[2, 2\] and \[2, 2\]"):
        shapley(np.zeros((2, 2)), np.array([[0, 1], [1, 0]]))


def test_two_that_stand_in_for_each_other_and_two_that_need_each_other():
    either = {0: 10, 1: 10, 2: 0}  # right answers by how many of the two are lost
    both = {0: 10, 1: 0, 2: 0}
    loss = [[np.array(v[0] - v[lost]) for lost in (2, 1, 1)] for v in (either, both)]
    assert [int(interaction(*drops)) for drops in loss] == [10, -10]
