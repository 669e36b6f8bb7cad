"""The protocol: K iterations of training, then twins under two minibatch orders, and the line between them.

Beside the twins, from the same start, the parent is trained under the order of ``karikomi lottery``: its lowest weights
go in the next round. All networks of a round go to the engine as one list.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import OptimizerState, Recipe
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.masks import links_left, remove_links
from karikomi.runs.checkpoint import INITIAL, Checkpoint
from karikomi.runs.progress import Advance
from karikomi.studies.setup import Setup
from karikomi.studies.stability.line import Line, barrier, distance, measure
from karikomi.studies.stability.settings import StabilitySettings

StabilitySetup = Setup[StabilitySettings]

SEEN = 2_000
"""Training examples, at most, on which running statistics are estimated."""

TWINS, NEIGHBOURS = "twins", "neighbours"
"""The two kinds of pairs: twins of one round, and the parents of a round and the one before."""


class Step(NamedTuple):
    """Twins that part after K iterations, in a pruning round; 0 is the dense network."""

    after: int
    round: int


class Start(NamedTuple):
    """Where the twins part: the network after K iterations, and its optimizer's state."""

    network: Subnetwork
    state: OptimizerState | None


class Past(NamedTuple):
    """What a round of a replicate begins with; ``parent`` is that of the round before."""

    start: Start
    parent: Subnetwork | None


class Measured(NamedTuple):
    """What became of a round of a replicate: a row and a line per pair, and the parent, if there are rounds."""

    rows: list[dict[str, Any]]
    lines: list[Line]
    parent: Checkpoint | None


def start(setup: StabilitySetup, advance: Advance, after: int, replicates: Mapping[int, None]) -> dict[int, Start]:
    """The networks of all replicates after K iterations."""
    s = setup.settings
    initial = {r: setup.initial(r, seeds.stream(s.seed, "init", r)) for r in replicates}
    if after == 0:
        return {r: Start(network, None) for r, network in initial.items()}
    trials = [setup.trial(network, r) for r, network in initial.items()]
    trained = setup.engine.train(trials, setup.data, _part(s.recipe(), 0, after), advance)
    return {r: Start(result.final, result.state) for r, result in zip(initial, trained, strict=True)}


def run_round(setup: StabilitySetup, advance: Advance, step: Step, pasts: Mapping[int, Past]) -> list[Measured]:
    """Train the twins of every replicate, and the parent of the next round, and measure the lines."""
    step, s = Step(*step), setup.settings
    advance(0, f"after {step.after} iterations, round {step.round} of {s.rounds}")
    starts = {r: past.start.network.masked(_masks(setup, step, r, past)) for r, past in pasts.items()}
    keys = [(1,), (2,), *([()] if s.rounds else [])]  # the twins' orders, then that of the lottery
    trials = [
        setup.trial(network, r, *key, state=pasts[r].start.state) for r, network in starts.items() for key in keys
    ]
    trained = setup.engine.train(trials, setup.data, _part(s.recipe(), step.after, s.iterations), advance)
    final = [result.final for result in trained]
    found = []
    for place, (r, network) in enumerate(starts.items()):
        first, second, *parent = final[place * len(keys) : (place + 1) * len(keys)]
        pairs = {TWINS: (first, second)}
        before = pasts[r].parent
        if before is not None:
            pairs[NEIGHBOURS] = before, parent[0]
        density = network.links / pasts[r].start.network.links
        where = {"replicate": r, **step._asdict(), "density": density}
        measured = [_along(setup, {**where, "pair": kind}, *pair) for kind, pair in pairs.items()]
        ticket = _ticket(setup, step, r, network, parent[0]) if parent else None
        found.append(Measured([row for row, _ in measured], [line for _, line in measured], ticket))
    return found


def _part(recipe: Recipe, first: int, end: int) -> Recipe:
    """The iterations of a recipe from ``first`` to ``end``, validated once: nothing is stopped early."""
    return replace(
        recipe, iterations=end - first, learning_rate=recipe.rates[first:end].copy(), validate_every=end - first
    )


def _masks(setup: StabilitySetup, step: Step, replicate: int, past: Past) -> Mapping[str, np.ndarray]:
    """The links that a round leaves: those of the greatest magnitude in the parent of the round before."""
    s, parent, dense = setup.settings, past.parent, past.start.network.masks
    if parent is None:
        return dense
    sizes = {name: int(mask.sum()) for name, mask in dense.items()}
    each = {name: links_left(size, s.rate, step.round) for name, size in sizes.items()}
    left = each if s.scope == "layer" else links_left(sum(sizes.values()), s.rate, step.round)
    magnitudes = {name: np.abs(parent.weights[name]) for name in parent.masks}
    return remove_links(parent.masks, magnitudes, left, seeds.stream(s.seed, "ties", replicate, step.round))


def _along(setup: StabilitySetup, where: dict[str, Any], a: Subnetwork, b: Subnetwork) -> tuple[dict[str, Any], Line]:
    known = seeds.stream(setup.settings.seed, "scoring", where["replicate"])
    seen = setup.data.train.take(known.permutation(setup.splits[where["replicate"]].train)[:SEEN])
    line = measure(setup.engine, a, b, seen, setup.data.test)
    row = {
        **where,
        "error_barrier": barrier(line.error),
        "loss_barrier": barrier(line.loss),
        "error": (line.error[0] + line.error[-1]) / 2,
        "highest_error": max(line.error),
        "loss": (line.loss[0] + line.loss[-1]) / 2,
        "distance": distance(a, b),
    }
    return row, line


def _ticket(setup: StabilitySetup, step: Step, replicate: int, start: Subnetwork, parent: Subnetwork) -> Checkpoint:
    [measured] = setup.engine.evaluate([parent], setup.data.test)
    about = {**step._asdict(), "links": parent.links, "test_accuracy": measured.accuracy}
    provenance = setup.provenance("stability", replicate, **about)
    return Checkpoint(parent, {INITIAL: start.weights}, provenance)
