"""What your own trained model can lose, in one line each."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor, nn

from karikomi import seeds, statistics
from karikomi.data.dataset import Examples
from karikomi.engines.choice import choose
from karikomi.engines.contract import Ablation, Engine
from karikomi.engines.lesion_input import AblationKind, ablation_by
from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.orders import random_order

Array = np.ndarray | Tensor


def graph(model: nn.Module) -> LayeredGraph:
    """Your model as a layered graph: a node per unit, a link per weight that is not exactly 0.

    Args:
        model: a chain of linear and convolutional layers; of a convolution a node is a channel, and the weight between
            two channels the L1 norm of the kernel.

    Returns:
        The graph, for :func:`karikomi.graphs.node_measure` and ``whole_measure``, networkx and GraphML.

    Raises:
        InputError: if the model is no such chain, or holds NaN.

    >>> from karikomi.networks import build
    >>> graph(build("mlp-8-4", (3, 3), 2))
    LayeredGraph(9-8-4-2, 112 links)
    """
    return LayeredGraph.from_module(model)


def knock_out(
    model: nn.Module, x: Array, y: Array, *, units: Sequence[int] | None = None, ablation: AblationKind = "zero"
) -> pd.DataFrame:
    """What the removal of each hidden unit alone costs, exact for every unit and example.

    Args:
        model: trained, on any device; linear layers, convolutions, attention.
        x: inputs ``[n, …]`` as the model takes them; uint8 is read as x / 255.
        y: labels ``[n]``.
        units: which hidden units; all by default.
        ablation: what replaces a removed unit's activation: ``zero``, its ``mean`` over x, or ``resample``, its
            activation on another example of x.

    Returns:
        A row per unit: ``unit`` (its number through all hidden layers), ``layer``, ``index`` (in its layer),
        ``loss_rise`` (mean cross-entropy, nats), ``accuracy_drop`` (0 … 1), and ``accuracy_drop_<class>`` for every
        class. Differences of accuracy below √(p(1 − p) / n) are noise; the rise in loss tells more.

    Raises:
        InputError: if model, inputs and units do not fit together, or hold NaN.

    References:
        Morcos et al. 2018, On the importance of single directions for generalization (arXiv 1803.06959).

    >>> import torch
    >>> from karikomi.networks import build
    >>> model, x, y = build("mlp-3", (4,), 2), torch.rand(10, 4), torch.arange(10) % 2
    >>> knock_out(model, x, y)[["unit", "layer", "index"]].values.tolist()
    [[0, 'fc1', 0], [1, 'fc1', 1], [2, 'fc1', 2]]
    """
    subnetwork, examples, engine = _given(model, x, y)
    numbers = np.arange(subnetwork.architecture.units) if units is None else np.asarray(units)
    outcomes = engine.knock_out(subnetwork, examples, _ablation(ablation, engine, subnetwork, examples), numbers)
    drops = outcomes.class_accuracy[0] - outcomes.class_accuracy[1:]
    return pd.DataFrame(
        {
            **_places(subnetwork, numbers),
            "loss_rise": outcomes.loss[1:] - outcomes.loss[0],
            "accuracy_drop": outcomes.accuracy[0] - outcomes.accuracy[1:],
            **{f"accuracy_drop_{label}": drops[:, label] for label in range(drops.shape[1])},
        }
    )


def shapley(
    model: nn.Module, x: Array, y: Array, *, permutations: int = 100, ablation: AblationKind = "zero", seed: int = 0
) -> pd.DataFrame:
    """What each hidden unit contributes to the accuracy: its Shapley value, from random orders of removal.

    φ_i = E over orders of v(before i goes) − v(after), v being the accuracy. Knock-outs of single units miss redundant
    units; Shapley values do not.

    Args:
        model: as in :func:`knock_out`.
        x: as in :func:`knock_out`.
        y: labels ``[n]``.
        permutations: random orders; standard errors fall with their root.
        ablation: as in :func:`knock_out`.
        seed: draws the orders.

    Returns:
        A row per unit: ``unit``, ``layer``, ``index``, ``value`` (accuracy; the values sum to the accuracy of the whole
        network minus that of the network without hidden units) and ``standard_error``.

    Raises:
        InputError: as :func:`knock_out`.

    References:
        Shapley 1953; Castro et al. 2009 (sampled orders); Fakhar & Hilgetag 2022 (multi-perturbation analysis).

    >>> import torch
    >>> from karikomi.networks import build
    >>> model, x, y = build("mlp-3", (4,), 2), torch.rand(10, 4), torch.arange(10) % 2
    >>> shapley(model, x, y, permutations=5).shape
    (3, 5)
    """
    subnetwork, examples, engine = _given(model, x, y)
    orders = _random_orders(subnetwork, permutations, seed)
    outcomes = engine.remove_in_order(subnetwork, orders, examples, _ablation(ablation, engine, subnetwork, examples))
    # Whole numbers add up exactly; divided, they might not.
    values, errors = statistics.shapley(outcomes.correct.sum(axis=-1), orders)
    units = np.arange(orders.shape[1])
    return pd.DataFrame(
        {**_places(subnetwork, units), "value": values / len(examples), "standard_error": errors / len(examples)}
    )


def lesion_curve(
    model: nn.Module,
    x: Array,
    y: Array,
    *,
    order: Sequence[int] | np.ndarray | None = None,
    orders: int = 30,
    ablation: AblationKind = "zero",
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy and loss while hidden units are removed one after the other.

    Args:
        model: as in :func:`knock_out`.
        x: as in :func:`knock_out`.
        y: labels ``[n]``.
        order: unit numbers ``[steps]``, or several such orders ``[orders, steps]``; by default random orders of all.
        orders: how many random orders.
        ablation: as in :func:`knock_out`.
        seed: draws the random orders.

    Returns:
        A row per order and step, step 0 being the whole model: ``order`` (its number), ``step``, ``unit`` and ``layer``
        (the last one removed), ``loss`` (nats), ``accuracy`` (0 … 1).

    Raises:
        InputError: as :func:`knock_out`; and if an order repeats a unit or names an unknown one.

    References:
        Morcos et al. 2018 (cumulative ablation); Meyes et al. 2019.

    >>> import torch
    >>> from karikomi.networks import build
    >>> model, x, y = build("mlp-3", (4,), 2), torch.rand(10, 4), torch.arange(10) % 2
    >>> lesion_curve(model, x, y, order=[2, 0])[["step", "unit"]].values.tolist()
    [[0, <NA>], [1, 2], [2, 0]]
    """
    subnetwork, examples, engine = _given(model, x, y)
    given = _random_orders(subnetwork, orders, seed) if order is None else np.atleast_2d(np.asarray(order))
    outcomes = engine.remove_in_order(subnetwork, given, examples, _ablation(ablation, engine, subnetwork, examples))
    places = _places(subnetwork, given.ravel())
    many, steps = given.shape
    frame = pd.DataFrame(
        {
            "order": np.repeat(np.arange(many), steps + 1),
            "step": np.tile(np.arange(steps + 1), many),
            "unit": pd.array(np.insert(given, 0, -1, axis=1).ravel(), dtype="Int64"),
            "layer": np.insert(places["layer"].reshape(given.shape), 0, "", axis=1).ravel(),
            "loss": outcomes.loss.ravel(),
            "accuracy": outcomes.accuracy.ravel(),
        }
    )
    whole = frame["step"] == 0
    frame.loc[whole, ["unit", "layer"]] = pd.NA
    return frame


def _given(model: nn.Module, x: Array, y: Array) -> tuple[Subnetwork, Examples, Engine]:
    x, y = (value.detach().cpu().numpy() if isinstance(value, Tensor) else value for value in (x, y))
    subnetwork = Subnetwork.from_module(model)
    return subnetwork, Examples.from_arrays(x, y), choose("auto", subnetwork.architecture)


def _ablation(kind: AblationKind, engine: Engine, subnetwork: Subnetwork, examples: Examples) -> Ablation:
    def means() -> np.ndarray:
        return engine.activations(subnetwork, examples).activation.mean(axis=1)

    return ablation_by(kind, means, len(examples), seeds.stream(0, "lesions"))


def _random_orders(subnetwork: Subnetwork, orders: int, seed: int) -> np.ndarray:
    if orders < 1:
        raise InputError(f"there must be at least 1 random order; asked for are {orders}")
    rng, units = seeds.stream(seed, "lesions"), subnetwork.architecture.units
    return np.stack([random_order(units, rng) for _ in range(orders)])


def _places(subnetwork: Subnetwork, units: np.ndarray) -> dict[str, np.ndarray]:
    """Where units are, for a table."""
    layers = subnetwork.architecture.hidden_units
    ends = np.cumsum(list(layers.values()))
    layer = np.searchsorted(ends, units, side="right")
    firsts = ends - list(layers.values())
    return {"unit": units, "layer": np.array(list(layers), object)[layer], "index": units - firsts[layer]}
