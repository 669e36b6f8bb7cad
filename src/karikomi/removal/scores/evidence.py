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


LinkNeed = Literal["gradients", "squared_gradients", "hessian_gradient", "flow", "input_norms"]
"""What has to be measured for a criterion for links: a field of :class:`Evidence`."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the links of a network; the names are those of its link weights.

    What is measured is measured when first asked for, and once: by weight, on ``examples``, of the network with the
    weights ``trained``. L is the mean cross-entropy.

    Attributes:
        trained: weights where the criterion acts: at the end of training, if not before.
        initial: weights that this training began with.
        masks: which links are left.
        rng: for criteria that draw.
        gradients: ∂L/∂w, float32; a removed link has one too.
        examples: training examples, never those that decide when to stop, nor the test set.
        squared_gradients: E[(∂ℓ/∂w)²] over examples of loss ℓ: the diagonal of the empirical Fisher, float32.
        hessian_gradient: H ∂L/∂w, the Hessian of L times its gradient, float32.
        flow: ∂R/∂|w|, float64; R is the output for an input of ones, summed, with weights |w| and without biases.
        input_norms: ‖x‖₂ of what the weight multiplies, over examples and places, float32.
    """

    trained: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray]
    rng: np.random.Generator
    gradients: Callable[[], Mapping[str, np.ndarray]] = _not_measured
    examples: Callable[[], Examples] = _not_measured
    squared_gradients: Callable[[], Mapping[str, np.ndarray]] = _not_measured
    hessian_gradient: Callable[[], Mapping[str, np.ndarray]] = _not_measured
    flow: Callable[[], Mapping[str, np.ndarray]] = _not_measured
    input_norms: Callable[[], Mapping[str, np.ndarray]] = _not_measured

    def __post_init__(self) -> None:
        for name in ("examples", *get_args(LinkNeed)):
            object.__setattr__(self, name, cache(getattr(self, name)))


Need = Literal["activations", "attributions", "knock_out", "shapley"]
"""What has to be measured for a criterion for units: a field of :class:`UnitEvidence`."""


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
