"""What a criterion may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph

if TYPE_CHECKING:
    from karikomi.data.dataset import Examples
    from karikomi.engines.contract import Activations, Outcomes
    from karikomi.networks.subnetwork import Subnetwork


def _not_measured() -> Any:
    raise InputError("this criterion needs measurements on examples, which were not given here")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a trained network; the names are those of its link weights.

    What is measured is measured when first asked for, and once.

    Attributes:
        trained: weights at the end of training.
        initial: weights that this training began with.
        masks: which links are left.
        rng: for criteria that draw.
        gradients: ∂L/∂w by weight at the end of training, float32; L is the mean cross-entropy on ``examples``.
        examples: training examples, never those that decide when to stop, nor the test set.
    """

    trained: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray]
    rng: np.random.Generator
    gradients: Callable[[], Mapping[str, np.ndarray]] = _not_measured
    examples: Callable[[], Examples] = _not_measured

    def __post_init__(self) -> None:
        for name in ("gradients", "examples"):
            object.__setattr__(self, name, cache(getattr(self, name)))


Need = Literal["activations", "attributions", "knock_out", "shapley"]
"""What has to be measured for a criterion: a field of :class:`UnitEvidence`."""


@dataclass(frozen=True, eq=False)
class UnitEvidence:
    """What is known of the units of a trained network. What is measured is measured when first asked for, and once.

    Attributes:
        subnetwork: the network.
        examples: the scoring split: what the units are measured on, never the test set.
        seed: where criteria that draw begin.
        activations: what every hidden unit does.
        attributions: a · ∂L/∂a, activation times the gradient of an example's loss, ``[units, examples]``.
        knock_out: the outcomes without each hidden unit alone, those of the whole network first.
        shapley: the Shapley value of every hidden unit, ``[units]``.
    """

    subnetwork: Subnetwork
    examples: Examples
    seed: np.random.SeedSequence
    activations: Callable[[], Activations]
    attributions: Callable[[], np.ndarray]
    knock_out: Callable[[], Outcomes]
    shapley: Callable[[], np.ndarray]

    def __post_init__(self) -> None:
        for need in get_args(Need):
            object.__setattr__(self, need, cache(getattr(self, need)))

    @cached_property
    def graph(self) -> LayeredGraph:
        """The network as a layered graph."""
        return LayeredGraph.from_subnetwork(self.subnetwork)

    def rng(self, name: str) -> np.random.Generator:
        """A fresh generator of the criterion called ``name``, so that no criterion's draw depends on another's."""
        return np.random.default_rng([*self.seed.generate_state(4).tolist(), *name.encode()])
