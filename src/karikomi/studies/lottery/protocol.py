"""The protocol: train → score → remove → rewind, again; beside each ticket its controls.

All networks of a round, of every arm and replicate, go to the engine as one list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from karikomi import seeds
from karikomi.engines.contract import Advance, Evaluation, Recipe, Trained, Trial
from karikomi.engines.population.supermask import train_supermasks
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.connection import cut_off
from karikomi.runs.checkpoint import FINAL, INITIAL, Checkpoint, snapshot
from karikomi.studies.lottery.arms import Entry, entries
from karikomi.studies.lottery.pruning import Past
from karikomi.studies.lottery.settings import LotterySettings, Rewind
from karikomi.studies.setup import Setup


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
    found = [entry for replicate in replicates for entry in entries(setup, number, replicate, past)]
    trials = [replace(setup.trial(entry.network, entry.replicate), frozen=entry.frozen) for entry in found]
    results = _train(setup, number, found, trials, advance)
    measured = _measure(setup, trials, [_untrained(*each) for each in zip(found, results, strict=True)], results)
    return [
        _outcome(setup, number, entry, result, *measures)
        for entry, result, measures in zip(found, results, measured, strict=True)
    ]


def _train(
    setup: Setup[LotterySettings],
    number: int,
    found: Sequence[Entry],
    trials: Sequence[Trial],
    advance: Advance | None,
) -> list[Trained]:
    """Those that are trained alike as one list."""
    trained: dict[int, Trained] = {}
    ways: list[tuple[bool, Rewind]] = [(entry.arm == "supermask", entry.rewind) for entry in found]
    for way in dict.fromkeys(ways):
        places = [place for place, its in enumerate(ways) if its == way]
        members, (learned, rewind) = [trials[place] for place in places], way
        recipe = recipe_of(setup.settings, number, rewind)
        if learned:
            draws = [seeds.stream(setup.settings.seed, "supermask", found[place].replicate) for place in places]
            results = train_supermasks(members, draws, setup.data, replace(recipe, snapshots=()), advance)
        else:
            results = setup.engine.train(members, setup.data, recipe, advance)
        trained |= zip(places, (_counted_from(done_before(rewind), result) for result in results), strict=True)
    return [trained[place] for place in range(len(found))]


def _untrained(entry: Entry, result: Trained) -> Subnetwork:
    """The network with the weights that it begins with; of a supermask under the mask that is found."""
    return result.best if entry.arm == "supermask" else entry.network


def recipe_of(settings: LotterySettings, number: int, rewind: Rewind) -> Recipe:
    """How the networks of a round are trained, by where they start."""
    if number == 0:
        return settings.recipe(settings.snapshots)
    if rewind == "none":  # the schedule is over, and its last rate stays
        return settings.recipe(start=settings.iterations)
    return settings.recipe().after(done_before(rewind))


def done_before(rewind: Rewind) -> int:
    """How many iterations a network that starts there has behind it."""
    return rewind if isinstance(rewind, int) else 0


def _counted_from(start: int, result: Trained) -> Trained:
    """Iterations by the clock of the dense network's training."""
    curve = replace(result.curve, iteration=result.curve.iteration + start)
    return replace(result, curve=curve, early_stop_iteration=result.early_stop_iteration + start)


def _measure(
    setup: Setup[LotterySettings], trials: Sequence[Trial], starts: Sequence[Subnetwork], trained: Sequence[Trained]
) -> Iterator[tuple[Evaluation, Evaluation, Evaluation, Evaluation]]:
    """On the test set at the start, the early stop and the end, and on its own training examples at the end."""
    test_start = setup.engine.evaluate(starts, setup.data.test)
    test_best = setup.engine.evaluate([result.best for result in trained], setup.data.test)
    test_final = setup.engine.evaluate([result.final for result in trained], setup.data.test)
    train: dict[int, Evaluation] = {}
    for split in {id(trial.split): trial.split for trial in trials}.values():
        members = [i for i, trial in enumerate(trials) if trial.split is split]
        seen = setup.data.train.take(split.train)
        train |= dict(zip(members, setup.engine.evaluate([trained[i].final for i in members], seen), strict=True))
    return zip(test_start, test_best, test_final, (train[i] for i in range(len(trials))), strict=True)


def _outcome(
    setup: Setup[LotterySettings],
    number: int,
    entry: Entry,
    result: Trained,
    start_test: Evaluation,
    test: Evaluation,
    final_test: Evaluation,
    train: Evaluation,
) -> Outcome:
    curve = result.curve
    network = _untrained(entry, result)
    links = network.links - sum(int(frozen.sum()) for frozen in (entry.frozen or {}).values())
    row = {
        "replicate": entry.replicate,
        "arm": entry.arm,
        "reinit": entry.reinit,
        "round": number,
        "density": links / entry.links,
        "links": links,
        "early_stop_iteration": result.early_stop_iteration,
        "validation_loss": float(curve.validation_loss[list(curve.iteration).index(result.early_stop_iteration)]),
        "initial_test_accuracy": start_test.accuracy,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "final_test_accuracy": final_test.accuracy,
        "final_test_loss": final_test.loss,
        "train_accuracy": train.accuracy,
        "iterations": setup.settings.iterations,
        "seconds": result.seconds,
    }
    if len(setup.settings.variants) > 1:
        row = {"variant": entry.variant, **row}
    if cut := cut_off(network):
        row["cut_off"] = ", ".join(cut)
    points = {name: array.tolist() for name, array in vars(curve).items()}
    ticket = _ticket(setup, number, entry, result, row) if entry.arm in ("dense", "ticket") else None
    return Outcome(row, points, ticket)


def _ticket(
    setup: Setup[LotterySettings], number: int, entry: Entry, result: Trained, row: dict[str, Any]
) -> Checkpoint:
    past = {INITIAL: entry.network.weights, FINAL: result.final.weights}
    past |= {snapshot(at): network.weights for at, network in result.snapshots.items()}
    about = {"round": number} | ({"variant": entry.variant} if entry.variant else {})
    about |= {name: row[name] for name in ("links", "early_stop_iteration", "test_accuracy")}
    return Checkpoint(result.best, past, setup.provenance("lottery", entry.replicate, **about))
