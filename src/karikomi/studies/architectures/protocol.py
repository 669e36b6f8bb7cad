"""The protocol: train the networks of a condition, remove their units at random, and let them age."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Trained
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.deaths import death_counts, die, in_cycles, surviving_state
from karikomi.removal.orders import in_proportion, random_order
from karikomi.runs.progress import Advance
from karikomi.statistics import f50, largest_drop, robustness
from karikomi.studies.architectures.conditions import ArchitecturesSetup, Condition, setup_of
from karikomi.studies.architectures.settings import ArchitecturesSettings

POINTS = np.linspace(0, 1, 21)
"""Shares of the units removed at which curves are kept."""


class Measured(NamedTuple):
    """A trained network, its row of the table, and its accuracy at ``POINTS``."""

    network: Subnetwork
    row: dict[str, Any]
    curve: list[float]


def steps_of(settings: ArchitecturesSettings) -> int:
    """Training steps of a network, healthy and retrained."""
    return settings.iterations + settings.cycles * settings.retraining


def measure(
    setup: ArchitecturesSetup, advance: Advance, condition: Condition, replicates: Mapping[int, None]
) -> list[Measured]:
    """Train a network of a condition per replicate, on the same minibatches in all conditions, and measure it."""
    own = setup_of(setup, Condition(*condition))
    s = own.settings
    advance(0, " ".join(map(str, filter(None, (condition[0], f"dropout {condition[3]:g}", condition[4])))))
    starts = {r: own.initial(r, seeds.stream(s.seed, "init", r)) for r in replicates}
    trials = [own.trial(start, r) for r, start in starts.items()]
    trained = dict(zip(replicates, own.engine.train(trials, own.data, s.recipe(), advance), strict=True))
    orders = {r: _orders(own, r) for r in replicates}
    aged = _aged(own, trained, {r: order[0] for r, order in orders.items()}, advance)
    healthy = own.engine.evaluate([result.best for result in trained.values()], own.data.test)
    found = []
    for (r, result), whole in zip(trained.items(), healthy, strict=True):
        lesions, curve = _lesioned(own, result.best, orders[r])
        where = {"replicate": r, **Condition(*condition)._asdict()}
        sizes = {"size": _size(result.best), "units": own.architecture.units}
        row = {**where, **sizes, "accuracy": whole.accuracy, "loss": whole.loss, **lesions, **aged[r]}
        found.append(Measured(result.best, row, curve))
    return found


def _size(network: Subnetwork) -> int:
    return sum(parameter.numel() for parameter in network.module.parameters())


def _orders(own: ArchitecturesSetup, replicate: int) -> np.ndarray:
    rng = seeds.stream(own.settings.seed, "lesions", replicate)
    layer_of = own.architecture.layer_of
    return np.stack([in_proportion(random_order(len(layer_of), rng), layer_of) for _ in range(own.settings.orders)])


def _lesioned(own: ArchitecturesSetup, network: Subnetwork, orders: np.ndarray) -> tuple[dict[str, float], list[float]]:
    """What the loss of all units says, a mean over orders; and the curve."""
    test, s = own.data.test, own.settings
    some = test.take(seeds.stream(s.seed, "probe").permutation(len(test))[: s.examples])
    accuracy, classes = own.engine.remove_in_order(network, orders, some).accuracy, own.data.classes
    removed, mean = np.linspace(0, 1, accuracy.shape[1]), accuracy.mean(axis=0)
    # R of the removals up to the highest rate of dropout, and of those beyond it.
    rate = max(s.dropouts, default=0.0)
    within = int(np.searchsorted(removed, rate, side="right")) if rate else 0
    halves = (accuracy[:, :within], np.delete(accuracy, np.s_[1:within], axis=1))
    parts = [robustness(part, classes) if rate else np.full(len(orders), np.nan) for part in halves]
    measures = {
        "robustness": robustness(accuracy, classes),
        **dict(zip(("within_rate", "beyond_rate"), parts, strict=True)),
        "f50": f50(accuracy, classes),
        "drop": largest_drop(accuracy).size,
    }
    return {name: float(values.mean()) for name, values in measures.items()}, np.interp(POINTS, removed, mean).tolist()


def _aged(
    own: ArchitecturesSetup, trained: Mapping[int, Trained], orders: Mapping[int, np.ndarray], advance: Advance
) -> dict[int, dict[str, float]]:
    """Accuracy after the last cycle of ageing, without training and retrained; the dead are the same units."""
    s, units = own.settings, own.architecture.hidden_units
    counts = death_counts(own.architecture.units, s.death_rate, s.cycles)
    dying = {r: in_cycles(order, counts, units) for r, order in orders.items()}
    left = {r: result.best for r, result in trained.items()}
    lives = {r: (result.best, None) for r, result in trained.items()}
    recipe = replace(s.recipe(iterations=s.retraining), validate_every=s.retraining)
    for cycle in range(s.cycles):
        left = {r: die(network, dying[r][cycle]) for r, network in left.items()}
        trials = []
        for r, (network, state) in lives.items():
            dead = dying[r][cycle]
            kept = surviving_state(state, network, dead) if state else None
            trials.append(own.trial(die(network, dead), r, 1 + cycle, state=kept))
        results = own.engine.train(trials, own.data, recipe, advance)
        lives = {r: (result.final, result.state) for r, result in zip(lives, results, strict=True)}
    both = [*left.values(), *(network for network, _ in lives.values())]
    accuracy = [found.accuracy for found in own.engine.evaluate(both, own.data.test)]
    return {
        r: {"aged": untrained, "retrained": retrained}
        for r, untrained, retrained in zip(left, accuracy[: len(left)], accuracy[len(left) :], strict=True)
    }
