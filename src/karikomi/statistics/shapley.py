"""What each unit contributes on average over the orders in which units are lost, and what pairs do together."""

from typing import NamedTuple

import numpy as np

from karikomi.errors import InputError


class ShapleyValues(NamedTuple):
    """Per unit, by ascending number, ``[units]``; standard errors are NaN for a single order."""

    values: np.ndarray
    standard_errors: np.ndarray


def shapley(curves: np.ndarray, orders: np.ndarray) -> ShapleyValues:
    """Shapley values by random orders of removal (Castro et al. 2009): φ_i = mean over orders of v(before) − v(after).

    Σ φ = v(all) − v(none), as in every single order. The standard error is the standard deviation over orders / √n of
    n orders, which must have been drawn independently.

    Args:
        curves: v after 0, 1, … removals, ``[orders, units + 1]``: right answers, accuracy, or the loss times −1.
        orders: the units in the order of their removal, each row all of the same units, ``[orders, units]``.

    Raises:
        InputError: if the orders are not of the same units, or the curves do not fit them.

    >>> shapley(np.array([[10, 8, 0], [10, 6, 0]]), np.array([[0, 1], [1, 0]]))
    ShapleyValues(values=array([4., 6.]), standard_errors=array([2., 2.]))
    """
    each = marginals(curves, orders)
    if len(each) < 2:
        return ShapleyValues(each.mean(axis=0), np.full(each.shape[1], np.nan))
    return ShapleyValues(each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each)))


def marginals(curves: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """v(before) − v(after) of each unit's removal, by ascending number, ``[orders, units]``.

    Every row sums to v(all) − v(none), exactly if v are whole numbers. Args and errors as in :func:`shapley`.
    """
    curves, orders = np.asarray(curves), np.asarray(orders)
    if orders.ndim != 2 or curves.shape != (len(orders), orders.shape[1] + 1):
        raise InputError(
            f"orders must be [orders, units] and curves [orders, units + 1]; they are {list(orders.shape)} and"
            f" {list(curves.shape)}"
        )
    units = np.sort(orders, axis=1)
    if (units != units[0]).any() or (np.diff(units[0]) == 0).any():
        raise InputError("for Shapley values every order must remove all of the same units, each once")
    return np.take_along_axis(curves[:, :-1] - curves[:, 1:], orders.argsort(axis=1), axis=1)


def interaction(together: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Δ_ij − Δ_i − Δ_j: what the loss of two units costs beyond the sum of what each costs alone.

    Above 0 they are redundant, below 0 synergistic.

    Args:
        together: v(all) − v(all but i and j), ``[…]``.
        first: v(all) − v(all but i), ``[…]``.
        second: v(all) − v(all but j), ``[…]``.
    """
    return together - first - second
