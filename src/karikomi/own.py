"""What your own trained model can lose, in one line each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from karikomi import seeds, statistics
from karikomi.engines.lesion_input import AblationKind
from karikomi.engines.population.labels import Loss, Scoring
from karikomi.engines.population.tasks import TaskName
from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.networks.layers import check_numbers
from karikomi.networks.samples import first_tensor, inputs_of
from karikomi.networks.tape import unwrapped
from karikomi.opened import Units, opened


def graph(model: nn.Module, x: Any = None) -> LayeredGraph:
    """Your model as a layered graph: a node per unit, a link per weight that is not exactly 0.

    Where signals are added or put side by side, who reads them is linked with the units of every layer that writes
    into them. :meth:`karikomi.graphs.LayeredGraph.from_module` says all of it.

    Args:
        model: linear and convolutional layers, normalization, shortcuts, branches; of a convolution a node is a
            channel, and the weight between two channels the L1 norm of the kernel.
        x: inputs as it takes them, as in :func:`knock_out`, a few examples; guessed if not given, and not needed where
            layers follow one another.

    Returns:
        The graph, for :func:`karikomi.graphs.node_measure` and ``whole_measure``, networkx and GraphML.

    Raises:
        InputError: for what has no fixed weights (attention, gates), leads back (recurrent layers) or reads no signal
            (embeddings); if the model does not take the inputs, or holds NaN.

    >>> from karikomi.networks import build
    >>> graph(build("mlp-8-4", (3, 3), 2))
    LayeredGraph(9-8-4-2, 112 links)
    """
    model = unwrapped(model)
    inputs, named = inputs_of(x, first_tensor(model))
    return LayeredGraph.from_module(model, None if x is None else inputs, named)


def knock_out(
    model: nn.Module,
    x: Any,
    y: Any = None,
    *,
    units: Units | None = None,
    ablation: AblationKind = "zero",
    task: TaskName | None = None,
    loss: Loss | None = None,
    metric: Loss | None = None,
) -> pd.DataFrame:
    """What the removal of each hidden unit alone costs, exact for every unit and example.

    A removed unit contributes nothing to anything behind its site, the last signal that leaves it to itself: the
    network is the one in which its row, bias and normalization, and every weight that reads it, are gone.

    Args:
        model: any trained module, on any device, in any precision; compiled, pruned or parametrized.
        x: inputs as the model takes them: a tensor or array ``[n, …]`` (uint8 is read as x / 255, other whole numbers
            stay as they are), a tuple of them, a mapping of them by name, a ``Dataset`` or a ``DataLoader``, which is
            streamed.
        y: labels: class numbers ``[n]``, a column of them or one-hot rows; one 0 or 1 per output (``multilabel``);
            numbers (``regression``); a class per position (``tokens``, -100 does not count). None where x brings them.
        units: which hidden units, by number; or all of a kind: ``neurons``, ``channels``, ``heads``, ``recurrent``,
            ``embedding``; or whole ``layers``, or residual ``branches``. All units by default.
        ablation: what replaces a removed unit's activation: ``zero``, its ``mean`` over x, or ``resample``, its
            activation on another example of x.
        task: what the outputs are for; guessed from outputs and labels, see ``table.attrs["task"]``. Probabilities are
            scored as what went into the softmax or sigmoid.
        loss: a loss of your own in place of the task's, from outputs and labels to a number per example.
        metric: beside it, what counts as right, 0 … 1 per example.

    Returns:
        A row per unit: ``unit`` (its number through all hidden layers), ``layer``, ``index`` (in its layer),
        ``loss_rise`` (mean cross-entropy, nats; squared error in regression), ``accuracy_drop`` (0 … 1) where answers
        are right or wrong, and ``accuracy_drop_<class>`` for every class. Differences of accuracy below √(p(1 − p) / n)
        are noise; the rise in loss tells more.

    Raises:
        InputError: if model, inputs, labels and units do not fit together, or hold NaN.

    References:
        Morcos et al. 2018, On the importance of single directions for generalization (arXiv 1803.06959).

    >>> import torch
    >>> from karikomi.networks import build
    >>> model, x, y = build("mlp-3", (4,), 2), torch.rand(10, 4), torch.arange(10) % 2
    >>> knock_out(model, x, y)[["unit", "layer", "index"]].values.tolist()
    [[0, 'fc1', 0], [1, 'fc1', 1], [2, 'fc1', 2]]
    """
    model_of = opened(model, x, y, units, ablation, Scoring(task, loss, metric))
    outcomes = model_of.without(model_of.players)
    table = {**model_of.places, "loss_rise": outcomes.loss[1:] - outcomes.loss[0]}
    if outcomes.present.sum():
        table["accuracy_drop"] = outcomes.accuracy[0] - outcomes.accuracy[1:]
    if model_of.by_class:
        drops = outcomes.class_accuracy[0] - outcomes.class_accuracy[1:]
        table |= {f"accuracy_drop_{label}": drops[:, label] for label in range(drops.shape[1])}
    return model_of.told(pd.DataFrame(table))


def shapley(
    model: nn.Module,
    x: Any,
    y: Any = None,
    *,
    permutations: int = 100,
    units: Units | None = None,
    ablation: AblationKind = "zero",
    task: TaskName | None = None,
    loss: Loss | None = None,
    metric: Loss | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """What each hidden unit contributes to the accuracy: its Shapley value, from random orders of removal.

    φ_i = E over orders of v(before i goes) − v(after), v being the accuracy (without one, minus the loss). Knock-outs
    of single units miss redundant units; Shapley values do not.

    Args:
        model: as in :func:`knock_out`.
        x: as in :func:`knock_out`.
        y: as in :func:`knock_out`.
        permutations: random orders; standard errors fall with their root.
        units: as in :func:`knock_out`; the others stay.
        ablation: as in :func:`knock_out`.
        task: as in :func:`knock_out`.
        loss: as in :func:`knock_out`.
        metric: as in :func:`knock_out`.
        seed: draws the orders.

    Returns:
        A row per unit: ``unit``, ``layer``, ``index``, ``value`` (accuracy; the values sum to the accuracy of the whole
        network minus that of the network without these units) and ``standard_error``.

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
    model_of = opened(model, x, y, units, ablation, Scoring(task, loss, metric))
    orders = _random_orders(len(model_of.players), permutations, seed)
    outcomes = model_of.along(orders)
    total = outcomes.present.sum()
    # Whole numbers add up exactly; divided, they might not.
    values, errors = statistics.shapley(outcomes.correct.sum(axis=-1) if total else -outcomes.loss, orders)
    return model_of.told(
        pd.DataFrame({**model_of.places, "value": values / (total or 1), "standard_error": errors / (total or 1)})
    )


def lesion_curve(
    model: nn.Module,
    x: Any,
    y: Any = None,
    *,
    order: Sequence[int] | np.ndarray | None = None,
    orders: int = 30,
    units: Units | None = None,
    ablation: AblationKind = "zero",
    task: TaskName | None = None,
    loss: Loss | None = None,
    metric: Loss | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy and loss while hidden units are removed one after the other.

    Args:
        model: as in :func:`knock_out`.
        x: as in :func:`knock_out`.
        y: as in :func:`knock_out`.
        order: unit numbers ``[steps]``, or several such orders ``[orders, steps]``; by default random orders.
        orders: how many random orders.
        units: as in :func:`knock_out`.
        ablation: as in :func:`knock_out`.
        task: as in :func:`knock_out`.
        loss: as in :func:`knock_out`.
        metric: as in :func:`knock_out`.
        seed: draws the random orders.

    Returns:
        A row per order and step, step 0 being the whole model: ``order`` (its number), ``step``, ``unit`` and ``layer``
        (the last one removed), ``loss`` (nats), ``accuracy`` (0 … 1) where answers are right or wrong.

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
    model_of = opened(model, x, y, units if order is None else None, ablation, Scoring(task, loss, metric))
    if order is None:
        given = _random_orders(len(model_of.players), orders, seed)
    else:
        given = check_numbers(np.atleast_2d(np.asarray(order)), len(model_of.players))
    outcomes = model_of.along(given)
    many, steps = given.shape
    removed = {name: np.asarray(values, object)[given] for name, values in model_of.places.items()}
    table = {
        "order": np.repeat(np.arange(many), steps + 1),
        "step": np.tile(np.arange(steps + 1), many),
        "unit": pd.array(np.insert(removed["unit"], 0, pd.NA, axis=1).ravel(), dtype="Int64"),
        "layer": np.insert(removed["layer"], 0, pd.NA, axis=1).ravel(),
        "loss": outcomes.loss.ravel(),
    }
    if outcomes.present.sum():
        table["accuracy"] = outcomes.accuracy.ravel()
    return model_of.told(pd.DataFrame(table))


def _random_orders(players: int, orders: int, seed: int) -> np.ndarray:
    if orders < 1 or orders != int(orders):
        raise InputError(f"random orders are a whole number from 1; asked for are {orders}")
    rng = seeds.stream(seed, "lesions")
    return np.stack([rng.permutation(players) for _ in range(int(orders))])
