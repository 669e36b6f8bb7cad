"""What the units of a healthy network are scored on, and what takes the place of those that are removed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from karikomi import seeds
from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.engines.contract import Ablation, Engine
from karikomi.engines.lesion_input import ablation_by
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.orders import order, random_order
from karikomi.removal.scores import UnitEvidence, unit_criterion
from karikomi.statistics import shapley
from karikomi.studies.healthy.nulls import null_network
from karikomi.studies.healthy.settings import Null, null_score
from karikomi.studies.setup import Setup

SHAPLEY_ORDERS = 20
"""Random orders behind the criterion shapley."""

TRIED = 100
"""Examples that criteria are tried on before anything is trained."""


def scoring_examples(setup: Setup[Any], replicate: int) -> Examples:
    """A draw from the examples that the replicate was trained on (from all training examples, if it was given)."""
    s, train = setup.settings, setup.data.train
    known = setup.splits[replicate].train if s.trains else np.arange(len(train))
    return train.take(seeds.stream(s.seed, "scoring", replicate).permutation(known)[: s.scoring])


def ablation_of(setup: Setup[Any], replicate: int, subnetwork: Subnetwork, examples: Examples) -> Ablation:
    """What removed units show on ``examples``; the means are those on the scoring examples."""

    def means() -> np.ndarray:
        return setup.engine.activations(subnetwork, scoring_examples(setup, replicate)).activation.mean(axis=1)

    rng = seeds.stream(setup.settings.seed, "donors", replicate)
    return ablation_by(setup.settings.ablation, means, len(examples), rng)


def evidence(setup: Setup[Any], replicate: int, subnetwork: Subnetwork) -> UnitEvidence:
    """What the criteria look at: a network, healthy or not any more, on the replicate's scoring examples."""
    examples = scoring_examples(setup, replicate)
    ablation = ablation_of(setup, replicate, subnetwork, examples)
    return _evidence(setup, setup.engine, replicate, subnetwork, examples, ablation)


def score(
    setup: Setup[Any], replicate: int, subnetwork: Subnetwork, scored: Callable[[], None] = lambda: None
) -> Arrays:
    """The scores of a healthy network's units by every criterion, and by ``null_score`` those of its null networks."""
    networks = {"": subnetwork}
    networks |= {null_score(kind, ""): null_network(setup, replicate, subnetwork, kind) for kind in setup.settings.null}
    scores = {}
    for prefix, network in networks.items():
        known = evidence(setup, replicate, network)
        for name in setup.settings.scored_by:
            scores[f"{prefix}{name}"] = unit_criterion(name).function(known)
            scored()
    return scores


def try_criteria(setup: Setup[Any], names: Sequence[str], nulls: Sequence[Null] = ()) -> None:
    """Score an untrained (or the first given) network by every criterion, on few examples.

    Raises:
        InputError: for a criterion, or a null network, that means nothing for this network and these data.
    """
    subnetwork = setup.trained[0] if setup.trained else setup.initial(0, np.random.default_rng(0))
    for kind in nulls:
        null_network(setup, 0, subnetwork, kind)
    known = scoring_examples(setup, 0)
    examples = known.take(np.arange(len(known))[:TRIED])
    tried = _evidence(setup, population, 0, subnetwork, examples, Ablation())
    for name in names:
        criterion = unit_criterion(name)
        if "shapley" in criterion.needs:  # defined for every network, and slow
            continue
        try:
            order(criterion.function(tried), "low", np.random.default_rng(0))
        except InputError as problem:
            raise InputError(f"criterion {name}: {problem}") from problem


def _evidence(
    setup: Setup[Any], engine: Engine, replicate: int, subnetwork: Subnetwork, examples: Examples, ablation: Ablation
) -> UnitEvidence:
    seed = setup.settings.seed

    def values() -> np.ndarray:
        rng, units = seeds.stream(seed, "scores", replicate, 1), subnetwork.architecture.units
        orders = np.stack([random_order(units, rng) for _ in range(SHAPLEY_ORDERS)])
        return shapley(-engine.remove_in_order(subnetwork, orders, examples, ablation).loss, orders).values

    return UnitEvidence(
        subnetwork=subnetwork,
        examples=examples,
        seed=seeds.sequence(seed, "scores", replicate),
        activations=lambda: engine.activations(subnetwork, examples),
        attributions=lambda: population.attributions(subnetwork, examples),
        knock_out=lambda: engine.knock_out(subnetwork, examples, ablation),
        shapley=values,
    )
