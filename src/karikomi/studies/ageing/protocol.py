"""The protocol: units or links die, what is left is measured, it trains, and it is measured again.

All networks that train in a cycle, of every replicate, arm and pattern, go to the engine as one list; those from
scratch, which train for longer, as another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Trial
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.deaths import Deaths, die, surviving_state
from karikomi.removal.homeostasis import restore_variance, scale_by_count
from karikomi.removal.regrowth import regrow
from karikomi.removal.remaining import remaining
from karikomi.runs.progress import Advance
from karikomi.studies.ageing.lives import HEALTHY, Aged, Life, Past
from karikomi.studies.ageing.measures import measure
from karikomi.studies.ageing.schedule import AgeingSetup, dead, dying, shown_cycles
from karikomi.studies.ageing.settings import NONE, REGROWTH, SCRATCH, SHAM, TRAINED
from karikomi.studies.healthy.scoring import scoring_examples
from karikomi.studies.snapshots import REPLICATE, Snapshot, snapshot

BEFORE, AFTER = "before", "after"
"""When a network is measured: after the deaths of a cycle, and after what followed on them."""


class Entry(NamedTuple):
    """A network of a cycle: at the end of the last one, after its deaths in this one, and as this one leaves it."""

    replicate: int
    life: Life
    last: Aged
    before: Aged
    after: Aged


@dataclass(frozen=True)
class Cycle:
    """What a cycle gives: rows of the table, by replicate every life as it is now, and what the page shows of some."""

    rows: list[dict[str, Any]]
    lives: dict[int, dict[Life, Aged]]
    seen: dict[Life, Snapshot]


def run_cycle(setup: AgeingSetup, advance: Advance, number: int, pasts: Mapping[int, Past]) -> Cycle:
    """Let cycle ``number`` (from 1) pass over all lives of the replicates in ``pasts``."""
    advance(0, f"cycle {number}")
    entries = [_treated(setup, number, entry, pasts[entry.replicate]) for entry in _wounded(number, pasts)]
    entries = _trained(setup, number, entries, advance)
    scratch = _from_scratch(setup, number, pasts, advance)
    lives: dict[int, dict[Life, Aged]] = {replicate: {} for replicate in pasts}
    for entry in entries:
        lives[entry.replicate][entry.life] = entry.after
    rows = _rows(setup, number, [*entries, *scratch], pasts)
    return Cycle(rows, lives, _seen(setup, number, entries, pasts))


def _seen(setup: AgeingSetup, number: int, entries: Sequence[Entry], pasts: Mapping[int, Past]) -> dict[Life, Snapshot]:
    """The networks that the page shows, at some ages; in the arm none all that changes is who is left."""
    shown = [entry for entry in entries if entry.replicate == REPLICATE and entry.life.arm != NONE]
    if not shown or number not in shown_cycles(pasts[REPLICATE].schedule):
        return {}
    return {entry.life: snapshot(setup, entry.after.network) for entry in shown}


def healthy_rows(setup: AgeingSetup, healthy: Mapping[int, Subnetwork]) -> list[dict[str, Any]]:
    """The rows of cycle 0, one per replicate."""
    past = {replicate: Past(network, {}, {}, False) for replicate, network in healthy.items()}
    entries = [Entry(replicate, HEALTHY, *[Aged(network)] * 3) for replicate, network in healthy.items()]
    return [row for row in _rows(setup, 0, entries, past) if row["when"] == AFTER]


def retraining_steps(setup: AgeingSetup) -> int:
    """Training steps in a cycle."""
    s = setup.settings
    return max(1, len(setup.splits[0].train) // s.batch) if s.retraining is None else s.retraining


def scratch_steps(setup: AgeingSetup, number: int) -> int:
    """Training steps of a network from scratch: as many as one that retrains has had by the end of cycle ``number``."""
    return setup.settings.iterations + number * retraining_steps(setup)


def _wounded(number: int, pasts: Mapping[int, Past]) -> Iterator[Entry]:
    for replicate, past in pasts.items():
        for life, last in past.lives.items():
            before = last
            if life.arm != SHAM:
                deaths = dying(past.schedule[life.pattern], number)
                state = last.state and surviving_state(last.state, last.network, deaths)
                before = Aged(die(last.network, deaths), state)
            yield Entry(replicate, life, last, before, before)


def _treated(setup: AgeingSetup, number: int, entry: Entry, past: Past) -> Entry:
    """What follows on the deaths at once: survivors are scaled, new ones grow."""
    s, (arm, pattern) = setup.settings, entry.life
    if arm == "homeostasis":
        network = _scaled(setup, entry)
    elif arm == REGROWTH:
        rng = seeds.stream(s.seed, "regrowth", entry.replicate, number, *pattern.encode())
        network = regrow(entry.last.network, dying(past.schedule[pattern], number), setup.initialization, rng)
    else:
        return entry
    return entry._replace(after=Aged(network, entry.before.state))


def _scaled(setup: AgeingSetup, entry: Entry) -> Subnetwork:
    before, after = entry.last.network, entry.before.network
    if setup.settings.homeostasis == "count":
        return scale_by_count(before, after)
    examples = scoring_examples(setup, entry.replicate)
    return restore_variance(before, after, lambda network: setup.engine.activations(network, examples))


def _trained(setup: AgeingSetup, number: int, entries: Sequence[Entry], advance: Advance) -> list[Entry]:
    sliced = setup.settings.optimizer_state == "sliced"
    training = [entry for entry in entries if entry.life.arm in TRAINED]
    trials = [
        setup.trial(entry.after.network, entry.replicate, number, state=entry.after.state if sliced else None)
        for entry in training
    ]
    results = _train(setup, trials, retraining_steps(setup), advance) if trials else []
    finals = {(entry.replicate, entry.life): final for entry, final in zip(training, results, strict=True)}
    return [entry._replace(after=finals.get((entry.replicate, entry.life), entry.after)) for entry in entries]


def _from_scratch(setup: AgeingSetup, number: int, pasts: Mapping[int, Past], advance: Advance) -> list[Entry]:
    """What the survivors' networks come to with new weights."""
    fresh = [
        Entry(replicate, Life(SCRATCH, pattern), *[Aged(_anew(setup, number, replicate, pattern, past))] * 3)
        for replicate, past in pasts.items()
        if past.scratch
        for pattern in past.schedule
    ]
    trials = [setup.trial(entry.before.network, entry.replicate) for entry in fresh]
    results = _train(setup, trials, scratch_steps(setup, number), advance) if trials else []
    return [entry._replace(after=final) for entry, final in zip(fresh, results, strict=True)]


def _anew(setup: AgeingSetup, number: int, replicate: int, pattern: str, past: Past) -> Subnetwork:
    survivors = die(past.healthy, dead(past.schedule[pattern], number))
    rng = seeds.stream(setup.settings.seed, "scratch", replicate, number, *pattern.encode())
    return initialize(setup.architecture, setup.initialization, rng, survivors.masks)


def _train(setup: AgeingSetup, trials: Sequence[Trial], steps: int, advance: Advance) -> list[Aged]:
    # What goes on living is the network at the end, not that of minimum validation loss.
    recipe = replace(setup.settings.recipe(iterations=steps), validate_every=steps)
    trained = setup.engine.train(trials, setup.data, recipe, advance)
    return [Aged(result.final, result.state) for result in trained]


def _rows(setup: AgeingSetup, number: int, entries: Sequence[Entry], pasts: Mapping[int, Past]) -> list[dict[str, Any]]:
    shown = [
        (entry, when, aged.network)
        for entry in entries
        for when, aged in ((BEFORE, entry.before), (AFTER, entry.after))
        if when == AFTER or entry.life.arm != SCRATCH
    ]
    # Where nothing follows on the deaths, before and after are one network.
    networks = {id(network): (entry.replicate, network) for entry, _, network in shown}
    healthy = {replicate: past.healthy for replicate, past in pasts.items()}
    measured = dict(zip(networks, measure(setup, healthy, list(networks.values())), strict=True))
    return [
        {
            "replicate": entry.replicate,
            **entry.life._asdict(),
            "cycle": number,
            "when": when,
            **_size(network, _gone(pasts[entry.replicate], entry.life, number, when)),
            "iterations": _iterations(setup, number, entry.life.arm, when),
            **measured[id(network)],
        }
        for entry, when, network in shown
    ]


def _size(network: Subnetwork, gone: np.ndarray) -> dict[str, int]:
    return {
        "units_left": network.architecture.units - len(gone),
        "links_left": network.links,
        "parameters_left": int(remaining(network, gone).parameters[-1]),
    }


def _gone(past: Past, life: Life, number: int, when: str) -> np.ndarray:
    """The units that a network is without."""
    deaths: Deaths = {}
    if life.arm == REGROWTH and when == BEFORE:
        deaths = dying(past.schedule[life.pattern], number)
    elif life.arm not in (HEALTHY.arm, SHAM, REGROWTH):
        deaths = dead(past.schedule[life.pattern], number)
    return np.empty(0, np.int64) if isinstance(deaths, Mapping) else deaths


def _iterations(setup: AgeingSetup, number: int, arm: str, when: str) -> int:
    """Training steps so far; of networks that were given, those since then."""
    if arm == SCRATCH:
        return scratch_steps(setup, number)
    healthy = setup.settings.iterations if setup.settings.trains else 0
    if arm not in TRAINED:
        return healthy
    return healthy + retraining_steps(setup) * (number if when == AFTER else number - 1)
