"""The protocol: train → score → remove → rewind, again; beside each ticket its controls.

All networks of a round, of every arm and replicate, go to the engine as one list.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from karikomi import seeds
from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.engines.contract import Advance, Evaluation, Trained, Trial
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.masks import links_left, remove_links, shuffle_links
from karikomi.removal.scores import LINK_CRITERIA, Evidence
from karikomi.runs.checkpoint import FINAL, INITIAL, REWIND, Checkpoint, provenance_of
from karikomi.studies.lottery.settings import TRANSFERRED, LotterySettings
from karikomi.studies.lottery.transfer import transferred
from karikomi.studies.setup import Setup

SCORED = 2_000
"""Training examples, at most, that criteria for links measure on."""

Past = Callable[[int, int], Checkpoint]
"""Gives the ticket of (replicate, round)."""


@dataclass(frozen=True)
class Entry:
    """One network of a round.

    ``reinit`` counts re-initializations from 1 and is 0 in all other arms; ``links`` are those of the dense network.
    """

    replicate: int
    arm: str
    reinit: int
    network: Subnetwork
    links: int


@dataclass(frozen=True)
class Outcome:
    """What became of an entry: its row of the table, its learning curve, and the ticket if it is one."""

    row: dict[str, Any]
    curve: dict[str, list[float]]
    ticket: Checkpoint | None


def run_round(
    setup: Setup[LotterySettings], number: int, replicates: Sequence[int], past: Past, advance: Advance | None = None
) -> list[Outcome]:
    """Train every network of round ``number`` (0 is the dense networks) and measure it."""
    s = setup.settings
    entries = [entry for replicate in replicates for entry in _entries(setup, number, replicate, past)]
    trials = [setup.trial(entry.network, entry.replicate) for entry in entries]
    rewinds_later = number == 0 and isinstance(s.rewind, int) and s.rewind > 0
    behind = s.rewind if number > 0 and isinstance(s.rewind, int) else 0
    recipe = s.recipe(snapshot_at=int(s.rewind) if rewinds_later else None, start=behind)
    trained = setup.engine.train(trials, setup.data, recipe, advance)
    return [
        _outcome(setup, number, entry, result, *measures)
        for entry, result, measures in zip(entries, trained, _measure(setup, trials, trained), strict=True)
    ]


def networks_per_round(settings: LotterySettings, number: int) -> int:
    """How many networks round ``number`` trains for one replicate."""
    if number == 0:
        return 1
    given = 0 if settings.transfers_in(number) else len({*TRANSFERRED} & {*settings.arms})
    return len(settings.arms) - 1 + ("reinit" in settings.arms) * (settings.reinits - 1) - given


def _entries(setup: Setup[LotterySettings], number: int, replicate: int, past: Past) -> Iterator[Entry]:
    s = setup.settings
    if number == 0:
        dense = setup.initial(replicate, seeds.stream(s.seed, "init", replicate))
        yield Entry(replicate, "dense", 0, dense, dense.links)
        return
    first = past(replicate, 0)
    origin = replace(first.trained, weights=first.past.get(REWIND) or first.past[INITIAL])
    left = target(s, origin, number)
    if "ticket" in s.arms:
        before = past(replicate, number - 1) if s.schedule == "iterative" and number > 1 else first
        masks = _next_masks(setup, before, left, number, replicate)
        start = replace(origin, weights=before.past[FINAL]) if s.rewind == "none" else origin
        yield Entry(replicate, "ticket", 0, start.masked(masks), origin.links)
        if "reinit" in s.arms:
            for k in range(1, s.reinits + 1):
                fresh = setup.initial(replicate, seeds.stream(s.seed, "reinit", replicate, number, k))
                yield Entry(replicate, "reinit", k, fresh.masked(masks), origin.links)
        if "shuffled" in s.arms:
            shuffled = shuffle_links(masks, origin.masks, seeds.stream(s.seed, "shuffle", replicate, number))
            yield Entry(replicate, "shuffled", 0, origin.masked(shuffled), origin.links)
    if "random" in s.arms:
        # One draw per replicate, whatever the round: the masks of later rounds are nested in the earlier ones'.
        rng = seeds.stream(s.seed, "random", replicate)
        draw = {name: rng.random(mask.shape) for name, mask in origin.masks.items()}
        yield Entry(replicate, "random", 0, origin.masked(remove_links(origin.masks, draw, left, rng)), origin.links)
    for arm, network in transferred(setup, number, replicate, origin):
        yield Entry(replicate, arm, 0, network, origin.links)


def target(settings: LotterySettings, dense: Subnetwork, number: int) -> dict[str, int] | int:
    """Links of ``dense`` to leave after round ``number``: per layer, or in the whole network for scope ``global``."""
    sizes = {name: int(mask.sum()) for name, mask in dense.masks.items()}
    if settings.scope == "global":
        return links_left(sum(sizes.values()), settings.rate, number)
    outputs = {layer.weight for layer in dense.architecture.outputs} if settings.output_rate == "half" else set()
    rates = {name: settings.convolution_rate for name, mask in dense.masks.items() if mask.ndim > 2}
    rates |= dict.fromkeys(outputs, settings.rate / 2)
    return {name: links_left(size, rates.get(name) or settings.rate, number) for name, size in sizes.items()}


def _next_masks(
    setup: Setup[LotterySettings], before: Checkpoint, left: dict[str, int] | int, number: int, replicate: int
) -> dict[str, np.ndarray]:
    s, final = setup.settings, replace(before.trained, weights=before.past[FINAL])

    def examples() -> Examples:
        known = seeds.stream(s.seed, "scoring", replicate).permutation(setup.splits[replicate].train)
        return setup.data.train.take(known[:SCORED])

    evidence = Evidence(
        final.weights,
        before.past[INITIAL],
        final.masks,
        seeds.stream(s.seed, "scores", replicate, number),
        gradients=lambda: population.gradients(final, examples()),
        examples=examples,
    )
    scores = LINK_CRITERIA.find(s.criterion).function(evidence)
    return remove_links(evidence.masks, scores, left, seeds.stream(s.seed, "ties", replicate, number))


def _measure(
    setup: Setup[LotterySettings], trials: Sequence[Trial], trained: Sequence[Trained]
) -> Iterator[tuple[Evaluation, Evaluation, Evaluation]]:
    """On the test set at the early stop and at the end, and on each network's own training examples at the end."""
    test_best = setup.engine.evaluate([result.best for result in trained], setup.data.test)
    test_final = setup.engine.evaluate([result.final for result in trained], setup.data.test)
    train: dict[int, Evaluation] = {}
    for split in {id(trial.split): trial.split for trial in trials}.values():
        members = [i for i, trial in enumerate(trials) if trial.split is split]
        seen = setup.data.train.take(split.train)
        train |= dict(zip(members, setup.engine.evaluate([trained[i].final for i in members], seen), strict=True))
    return ((test_best[i], test_final[i], train[i]) for i in range(len(trials)))


def _outcome(
    setup: Setup[LotterySettings],
    number: int,
    entry: Entry,
    result: Trained,
    test: Evaluation,
    final_test: Evaluation,
    train: Evaluation,
) -> Outcome:
    curve = result.curve
    row = {
        "replicate": entry.replicate,
        "arm": entry.arm,
        "reinit": entry.reinit,
        "round": number,
        "density": entry.network.links / entry.links,
        "links": entry.network.links,
        "early_stop_iteration": result.early_stop_iteration,
        "validation_loss": float(curve.validation_loss[list(curve.iteration).index(result.early_stop_iteration)]),
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "final_test_accuracy": final_test.accuracy,
        "final_test_loss": final_test.loss,
        "train_accuracy": train.accuracy,
        "iterations": setup.settings.iterations,
        "seconds": result.seconds,
    }
    points = {
        "iteration": curve.iteration.tolist(),
        "train_loss": curve.train_loss.tolist(),
        "validation_loss": curve.validation_loss.tolist(),
        "validation_accuracy": curve.validation_accuracy.tolist(),
    }
    ticket = _ticket(setup, number, entry, result, row) if entry.arm in ("dense", "ticket") else None
    return Outcome(row, points, ticket)


def _ticket(
    setup: Setup[LotterySettings], number: int, entry: Entry, result: Trained, row: dict[str, Any]
) -> Checkpoint:
    past = {INITIAL: entry.network.weights, FINAL: result.final.weights}
    if result.snapshot:
        past[REWIND] = result.snapshot.weights
    provenance = provenance_of(
        setup.settings.network,
        setup.built_for,
        setup.data.classes,
        study="lottery",
        settings=setup.settings.model_dump_json(),
        replicate=entry.replicate,
        round=number,
        links=row["links"],
        early_stop_iteration=row["early_stop_iteration"],
        test_accuracy=row["test_accuracy"],
    )
    return Checkpoint(result.best, past, provenance)
