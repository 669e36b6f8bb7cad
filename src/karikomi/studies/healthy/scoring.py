"""What the units of a healthy network are scored on, and what takes the place of those that are removed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

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
from karikomi.studies.healthy.settings import Null, ScoringSettings, null_score
from karikomi.studies.setup import Setup

ScoringT = TypeVar("ScoringT", bound=ScoringSettings)

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


def suited(setup: Setup[ScoringT]) -> Setup[ScoringT]:
    """The setup without the criteria of its defaults that mean nothing for this network and these data.

    Raises:
        InputError: for a criterion that was asked for, or a null network, that means nothing for them.
    """
    s, reasons = setup.settings, _refused(setup, setup.settings.scored_by, setup.settings.null)
    _raise_first({name: reason for name, reason in reasons.items() if name in s.asked_for})
    return replace(setup, settings=s.without(reasons), left_out=reasons) if reasons else setup


def try_criteria(setup: Setup[Any], names: Sequence[str]) -> None:
    """Raise an InputError for a criterion that means nothing for this network and these data."""
    _raise_first(_refused(setup, names))


def _raise_first(reasons: Mapping[str, str]) -> None:
    for name, reason in reasons.items():
        raise InputError(f"criterion {name}: {reason}")


def _refused(setup: Setup[Any], names: Sequence[str], nulls: Sequence[Null] = ()) -> dict[str, str]:
    """Score an untrained (or the first given) network by every criterion, on few examples: those that fail, and why."""
    subnetwork = setup.trained[0] if setup.trained else setup.initial(0, np.random.default_rng(0))
    for kind in nulls:
        null_network(setup, 0, subnetwork, kind)
    known = scoring_examples(setup, 0)
    examples = known.take(np.arange(len(known))[:TRIED])
    tried, reasons = _evidence(setup, population, 0, subnetwork, examples, Ablation()), dict[str, str]()
    for name in names:
        criterion = unit_criterion(name)
        if "shapley" in criterion.needs:  # defined for every network, and slow
            continue
        try:
            order(criterion.function(tried), "low", np.random.default_rng(0))
        except InputError as problem:
            reasons[name] = str(problem)
    return reasons


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
