"""The protocol: remove every unit alone, all of them in random orders, and pairs of the most important ones.

Removal is measured on the test set, scores on training examples.
"""

from itertools import combinations
from typing import Any

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Ablation
from karikomi.graphs import LayeredGraph
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.orders import random_order
from karikomi.runs.progress import Advance
from karikomi.statistics import shapley
from karikomi.studies.healthy.scoring import ablation_of, score
from karikomi.studies.importance.tables import SCORE
from karikomi.studies.setup import Setup
from karikomi.studies.stage import Task

LINKS_KEPT = 100
"""The strongest links of each gap that are kept, to be drawn."""


def measure(setup: Setup[Any], advance: Advance, task: Task, subnetwork: Subnetwork) -> Arrays:
    """All that the study measures of one healthy network.

    Returns:
        Arrays by name: ``loss`` ``[units + 1]``, ``correct`` ``[units + 1, classes]`` and ``present`` ``[classes]`` as
        in :class:`~karikomi.engines.contract.Outcomes`, the whole network first; ``score/<criterion>`` ``[units]``;
        ``shapley_value`` and ``shapley_error`` ``[units]``, in right answers; ``pairs``, numbers of units,
        ``[pairs, 2]``, and ``pair_loss`` without both of them, ``[pairs]``; of a chain of layers also ``sizes``, units
        in each layer from inputs to outputs (if those are the pixels of images, their rows and columns are ``pixels``),
        and of every gap between layers its strongest ``links``, each with gap, source and target, ``[links, 3]``, and
        their ``link_weight`` ``[links]``.
    """
    test, replicate = setup.data.test, task.replicate
    ablation = ablation_of(setup, replicate, subnetwork, test)
    alone = setup.engine.knock_out(subnetwork, test, ablation)
    units = len(alone.loss) - 1
    advance(units)
    scores = {f"{SCORE}{name}": values for name, values in score(setup, replicate, subnetwork).items()}
    return {
        "loss": alone.loss,
        "correct": alone.correct,
        "present": alone.present,
        **scores,
        **_shapley(setup, advance, replicate, subnetwork, ablation, units),
        **_pairs(setup, subnetwork, ablation, alone.loss[1:]),
        **_wiring(setup, subnetwork),
    }


def _shapley(
    setup: Setup[Any], advance: Advance, replicate: int, subnetwork: Subnetwork, ablation: Ablation, units: int
) -> Arrays:
    if setup.settings.shapley == 0:
        return {}
    rng = seeds.stream(setup.settings.seed, "lesions", replicate)
    orders = np.stack([random_order(units, rng) for _ in range(setup.settings.shapley)])
    outcomes = setup.engine.remove_in_order(subnetwork, orders, setup.data.test, ablation, advance)
    # Right answers are whole numbers, whose differences add up exactly.
    values, errors = shapley(outcomes.correct.sum(axis=-1), orders)
    return {"shapley_value": values, "shapley_error": errors}


def _pairs(setup: Setup[Any], subnetwork: Subnetwork, ablation: Ablation, loss: np.ndarray) -> Arrays:
    critical = np.sort(np.argsort(-loss, kind="stable")[: setup.settings.pairs])
    pairs = np.array(list(combinations(critical.tolist(), 2)), np.int64).reshape(-1, 2)
    if len(pairs) == 0:
        return {}
    outcomes = setup.engine.remove_in_order(subnetwork, pairs, setup.data.test, ablation)
    return {"pairs": pairs, "pair_loss": outcomes.loss[:, 2]}


def _wiring(setup: Setup[Any], subnetwork: Subnetwork) -> Arrays:
    if not subnetwork.architecture.in_a_row:
        return {}
    graph = LayeredGraph.from_subnetwork(subnetwork)
    links, weights = [], []
    for gap, (weight, strength) in enumerate(zip(graph.weights, graph.strengths, strict=True)):
        strongest = np.argsort(-strength, axis=None, kind="stable")[: min(LINKS_KEPT, graph.masks[gap].sum())]
        target, source = np.unravel_index(strongest, weight.shape)
        links.append(np.stack([np.full(len(source), gap), source, target], axis=1))
        weights.append(weight[target, source])
    shape = setup.data.sample_shape
    pixels = {"pixels": np.array(shape)} if len(shape) == 2 and np.prod(shape) == graph.sizes[0] else {}
    return {
        "sizes": np.array(graph.sizes),
        **pixels,
        "links": np.concatenate(links),
        "link_weight": np.concatenate(weights),
    }
