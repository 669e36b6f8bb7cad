"""What is asked of every engine's lesions, checked: one clear line for what does not fit."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation
from karikomi.errors import InputError, unknown
from karikomi.networks.layers import check_numbers

ZERO = Ablation()
"""Removed units give 0."""

AblationKind = Literal["zero", "mean", "resample"]
"""What takes the place of a removed unit's activation: 0, its mean, or what it does on another example."""


def ablation_by(
    kind: AblationKind, means: Callable[[], np.ndarray], examples: int, rng: np.random.Generator
) -> Ablation:
    """The ablation of ``kind``: ``means`` gives every unit's mean activation, ``rng`` draws among the ``examples``.

    Raises:
        InputError: for an unknown kind.
    """
    if kind not in get_args(AblationKind):
        raise unknown("ablation", kind, get_args(AblationKind))
    if kind == "mean":
        return Ablation(means=means())
    return Ablation(donors=rng.permutation(examples)) if kind == "resample" else ZERO


def single_lesions(units: np.ndarray | None, total: int) -> np.ndarray:
    """``units`` as int64 ``[units]``, all ``total`` of them for None; an InputError if one is unknown or repeated."""
    if units is not None and np.ndim(units) != 1:
        raise InputError(f"units to knock out must be [units]; they have the shape {list(np.shape(units))}")
    return np.arange(total) if units is None else check_numbers(units, total)


def lesion_orders(orders: np.ndarray, total: int) -> np.ndarray:
    """``orders`` as int64 ``[orders, steps]``; an InputError for none at all, unknown units and repeated ones."""
    if np.ndim(orders) != 2:
        raise InputError(f"orders must be [orders, steps]; they have the shape {list(np.shape(orders))}")
    if not len(orders):
        raise InputError("there are no orders to remove units in")
    return check_numbers(orders, total)


def check_ablation(ablation: Ablation, total: int, examples: int) -> None:
    """Raise an InputError if ``ablation`` does not fit ``total`` hidden units and the number of examples."""
    means, donors = ablation.means, ablation.donors
    if means is not None and donors is not None:
        raise InputError("an ablation has means or donors, not both")
    if means is not None and (np.shape(means) != (total,) or not np.isfinite(means).all()):
        raise InputError(f"means must be {total} finite numbers, one per hidden unit; they are {list(np.shape(means))}")
    if donors is None:
        return
    if np.shape(donors) != (examples,) or np.asarray(donors).dtype.kind not in "iu":
        raise InputError(f"donors must be {examples} whole numbers, one per example; they are {list(np.shape(donors))}")
    if examples and not 0 <= np.min(donors) <= np.max(donors) < examples:
        raise InputError(
            f"donors must be examples 0 … {examples - 1}; they go from {np.min(donors)} to {np.max(donors)}"
        )


def check_examples(examples: Examples) -> None:
    """Raise an InputError if there are no examples, or one holds NaN or infinite values."""
    if len(examples) == 0:
        raise InputError("there are no examples to evaluate on")
    if not np.isfinite(examples.x).all():
        raise InputError("the examples hold NaN or infinite values")
