"""The protocol: networks of every arm, from the same weights, on the same minibatches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Advance, Evaluation, Trained, Trial
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.allocation import erdos_renyi_kernel, links_by_layer, uniform
from karikomi.removal.masks import Masks, random_links
from karikomi.removal.rewiring import Rewiring
from karikomi.runs.checkpoint import Checkpoint
from karikomi.studies.grow.settings import GROWTH, SPARSE, GrowSettings
from karikomi.studies.grow.wiring import Wiring
from karikomi.studies.setup import Setup
from karikomi.studies.snapshots import REPLICATE, Snapshot, snapshot

GrowSetup = Setup[GrowSettings]


class Entry(NamedTuple):
    """A network to train. ``density`` is that of the sparse arms it stands beside; of ``dense`` it is 1."""

    replicate: int
    arm: str
    density: float
    network: Subnetwork


class Outcome(NamedTuple):
    """What became of it: its row, its learning curve, rows and links per input on the way, and the network.

    ``seen`` is what the page shows of replicate 0's sparse networks, by iteration.
    """

    row: dict[str, Any]
    curve: dict[str, list[float]]
    wiring: dict[str, list[dict[str, Any]]]
    network: Checkpoint
    seen: dict[int, Snapshot]


def full_masks(setup: GrowSetup) -> Masks:
    """Every link of the network."""
    state = setup.architecture.module.state_dict()
    return {name: np.ones(tuple(state[name].shape), bool) for name in setup.architecture.link_weights}


def links_of(setup: GrowSetup) -> dict[float, dict[str, int]]:
    """The links of every layer, by density.

    Raises:
        InputError: if a layer would get none, or there are not as many densities as layers.
    """
    s, masks = setup.settings, full_masks(setup)
    sizes = links_by_layer(masks)
    total = sum(sizes.values())
    if s.layer_densities is None:
        share = erdos_renyi_kernel if s.start == "erk" else uniform
        found = {density: share(masks, round(density * total)) for density in s.densities}
    elif len(s.layer_densities) == len(sizes):
        links = {name: round(own * sizes[name]) for name, own in zip(sizes, s.layer_densities, strict=True)}
        found = {sum(links.values()) / total: links}
    else:
        raise InputError(
            f"layer_densities must be {len(sizes)} numbers, one for each of {', '.join(sizes)}; they are"
            f" {len(s.layer_densities)}"
        )
    for density, links in found.items():
        for name in (name for name, count in links.items() if count == 0):
            raise InputError(f"at density {density:g} no link is left in {name}; take a higher density")
    return found


def dense_network(setup: GrowSetup, replicate: int) -> Subnetwork:
    """What all arms of a replicate begin with, before links are removed."""
    return setup.initial(replicate, seeds.stream(setup.settings.seed, "init", replicate))


def entries_at(setup: GrowSetup, density: float, replicate: int, ticket: Arrays | None) -> list[Entry]:
    """The networks of a replicate at a density: all arms but the dense one."""
    whole, rng = dense_network(setup, replicate), seeds.stream(setup.settings.seed, "sparse", replicate)
    random = random_links(whole.masks, links_of(setup)[density], rng)  # nested in those of higher densities
    masks = {"ticket": ticket, "dense-matched": whole.masks}
    return [
        Entry(replicate, arm, density, whole.masked(masks.get(arm) or random))
        for arm in setup.settings.arms
        if arm != "dense"
    ]


def steps_of(settings: GrowSettings, arm: str, density: float) -> int:
    """How many training steps an arm takes."""
    if arm in SPARSE and settings.budget == "arithmetic":
        return round(settings.iterations / density)
    return max(1, round(settings.iterations * density)) if arm == "dense-matched" else settings.iterations


def train(setup: GrowSetup, entries: Sequence[Entry], advance: Advance | None = None) -> list[Outcome]:
    """Train the networks, those of as many steps as one list, and measure them on the test set."""
    s, outcomes = setup.settings, dict[int, Outcome]()
    steps = [steps_of(s, entry.arm, entry.density) for entry in entries]
    for count in dict.fromkeys(steps):
        members = [i for i, its in enumerate(steps) if its == count]
        trials = [_trial(setup, entries[i], count) for i in members]
        # A dense network's wiring says nothing.
        sparse = any(entries[i].arm in SPARSE for i in members)
        seen = tuple(round(count * n / s.observations) for n in range(1, s.observations + 1)) if sparse else ()
        trained = setup.engine.train(trials, setup.data, s.recipe(seen, iterations=count), advance)
        tests = (
            setup.engine.evaluate([getattr(result, when) for result in trained], setup.data.test)
            for when in ("best", "final")
        )
        for i, result, *test in zip(members, trained, *tests, strict=True):
            outcomes[i] = _outcome(setup, entries[i], result, count, *test)
    return [outcomes[i] for i in range(len(entries))]


def _trial(setup: GrowSetup, entry: Entry, steps: int) -> Trial:
    s, trial = setup.settings, setup.trial(entry.network, entry.replicate)
    if entry.arm not in GROWTH:
        return trial
    # As a whole number, which a key is made of.
    draws = seeds.sequence(s.seed, "rewiring", entry.replicate, round(entry.density * 1e9))
    return replace(trial, rewiring=Rewiring(s.every, round(s.end * steps), s.share, s.decay, GROWTH[entry.arm], draws))


def _outcome(
    setup: GrowSetup, entry: Entry, result: Trained, steps: int, best: Evaluation, final: Evaluation
) -> Outcome:
    wiring = Wiring(entry.network, setup.built_for, result.snapshots if entry.arm in SPARSE else {})
    curve, network = result.curve, entry.network
    row = {
        "replicate": entry.replicate,
        "arm": entry.arm,
        "density": entry.density,
        "links": network.links,
        "iterations": steps,
        "arithmetic": network.density * steps / setup.settings.iterations,
        "early_stop_iteration": result.early_stop_iteration,
        "validation_loss": float(curve.validation_loss[list(curve.iteration).index(result.early_stop_iteration)]),
        "test_accuracy": best.accuracy,
        "test_loss": best.loss,
        "final_test_accuracy": final.accuracy,
        "final_test_loss": final.loss,
        "new": wiring.new(result.final),
        "seconds": result.seconds,
    }
    points = {name: array.tolist() for name, array in vars(curve).items()}
    where = {"arm": entry.arm, "density": entry.density, "test_accuracy": final.accuracy}
    provenance = setup.provenance("grow", entry.replicate, **where)
    shown = {0: network, **result.snapshots} if entry.replicate == REPLICATE and entry.arm in SPARSE else {}
    seen = {iteration: snapshot(setup, each) for iteration, each in shown.items()}
    return Outcome(row, points, wiring.seen, Checkpoint(result.final, {}, provenance), seen)
