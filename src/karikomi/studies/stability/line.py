"""The straight line between two networks, and the barrier on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.engines.contract import Engine
from karikomi.networks.subnetwork import Subnetwork

POINTS = np.linspace(0, 1, 30)
"""Places on the line, as in Frankle et al. 2020."""


@dataclass(frozen=True)
class Line:
    """Loss (nats) and error (1 − accuracy, 0 … 1) at ``POINTS`` between two networks."""

    loss: Sequence[float]
    error: Sequence[float]


def between(a: Subnetwork, b: Subnetwork) -> list[Subnetwork]:
    """The networks (1 − α) a + α b for α in ``POINTS``; the first is a and the last is b.

    A link is left where either has it. What is no real number, such as a count of minibatches, is that of a.
    """
    masks = {name: mask | b.masks[name] for name, mask in a.masks.items()}
    return [
        replace(a, weights={name: _mixed(w, b.weights[name], point) for name, w in a.weights.items()}, masks=masks)
        for point in POINTS
    ]


def _mixed(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return ((1 - share) * a + share * b).astype(a.dtype) if np.issubdtype(a.dtype, np.floating) else a


def measure(engine: Engine, a: Subnetwork, b: Subnetwork, seen: Examples, test: Examples) -> Line:
    """Loss and error on ``test`` along the line from ``a`` to ``b``, all points together.

    Running statistics of batch normalization are estimated anew on ``seen``, some training examples, at every point,
    the ends included.
    """
    found = engine.evaluate(population.reestimated(between(a, b), seen), test)
    return Line([one.loss for one in found], [1 - one.accuracy for one in found])


def barrier(values: Sequence[float] | np.ndarray) -> float:
    """The highest value on the line minus the mean of its ends, which is 0 or more (Frankle et al. 2020).

    >>> round(barrier([0.02, 0.05, 0.04]), 3)
    0.02
    """
    return float(np.max(values) - (values[0] + values[-1]) / 2)


def distance(a: Subnetwork, b: Subnetwork) -> float:
    """√Σ (a − b)² over all links."""
    apart = [a.weights[name].astype(np.float64) - b.weights[name] for name in a.architecture.link_weights]
    return float(np.sqrt(sum((d**2).sum() for d in apart)))
