"""The work of the study: tickets, pruned round by round; then all arms at each density."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork
from karikomi.runs.checkpoint import Checkpoint, read_network
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies import setup as every_study
from karikomi.studies.grow.protocol import (
    Entry,
    GrowSetup,
    Outcome,
    dense_network,
    entries_at,
    links_of,
    steps_of,
    train,
)
from karikomi.studies.grow.settings import GrowSettings
from karikomi.studies.grow.tables import ARMS, DENSE, NETWORK, ROUNDS, growth_file, network_file, round_file
from karikomi.studies.grow.tickets import last_rounds, pruned, rounds_of, train_rewound
from karikomi.studies.snapshots import write_snapshots
from karikomi.studies.stage import Stage, Task


def prepare(settings: GrowSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> GrowSetup:
    """As :func:`karikomi.studies.setup.prepare`.

    Raises:
        InputError: also for a network whose wiring is given, and if a layer would be left without links.
    """
    setup = every_study.prepare(settings, data, models)
    if setup.layout is not None:
        raise InputError(f"grow begins with random wiring, and {settings.network} has its own; take another network")
    links_of(setup)
    return setup


def stages(setup: GrowSetup) -> list[Stage]:
    return [
        Stage(DENSE, _dense_tasks, _train_dense, _write, lockstep=True),
        Stage(ROUNDS, _round_tasks, _prune, _write_round, _before, lockstep=True),
        Stage(ARMS, _arm_tasks, _train_arms, _write, _before_ticket, lockstep=True, lesions=True),
    ]


def _dense_tasks(setup: GrowSetup, folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    return {Task(r): s.iterations for r in range(s.replicates if "dense" in s.arms else 0)}


def _train_dense(setup: GrowSetup, advance: Advance, step: int, replicates: Mapping[int, None]) -> list[Outcome]:
    return train(setup, [Entry(r, "dense", 1.0, dense_network(setup, r)) for r in replicates], advance)


def _round_tasks(setup: GrowSetup, folder: RunFolder) -> dict[Task, int]:
    """The rounds on the way to the last ticket, which itself is trained with the other arms."""
    s = setup.settings
    last = len(rounds_of(setup)) - 1 if "ticket" in s.arms else 0
    return {Task(r, number): s.iterations for number in range(1, last) for r in range(s.replicates)}


def _before(setup: GrowSetup, folder: RunFolder, task: Task) -> Subnetwork:
    return _trained(setup, folder, task.replicate, task.step - 1)


def _trained(setup: GrowSetup, folder: RunFolder, replicate: int, number: int) -> Subnetwork:
    """The network of a round, after training; that of round 0 is dense."""
    file = round_file(folder, replicate, number) if number else network_file(folder, replicate, "dense", 1.0)
    return read_network(file, setup.architecture).trained


def _prune(setup: GrowSetup, advance: Advance, number: int, before: Mapping[int, Subnetwork]) -> dict[int, Subnetwork]:
    advance(0, f"pruning round {number}, {len(before)} networks")
    return train_rewound(setup, number, before, advance)


def _write_round(
    setup: GrowSetup, folder: RunFolder, number: int, networks: Mapping[int, Subnetwork]
) -> dict[str, Any]:
    for replicate, network in networks.items():
        Checkpoint(network).save(round_file(folder, replicate, number))
    return {}


def _arm_tasks(setup: GrowSetup, folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    arms = [arm for arm in s.arms if arm != "dense"]
    return {
        Task(r, density): sum(steps_of(s, arm, density) for arm in arms)
        for density in (links_of(setup) if arms else ())
        for r in range(s.replicates)
    }


def _before_ticket(setup: GrowSetup, folder: RunFolder, task: Task) -> Subnetwork | None:
    """What the ticket of a density is pruned from."""
    if "ticket" not in setup.settings.arms:
        return None
    return _trained(setup, folder, task.replicate, last_rounds(setup)[task.step] - 1)


def _train_arms(
    setup: GrowSetup, advance: Advance, density: float, before: Mapping[int, Subnetwork | None]
) -> list[Outcome]:
    entries = []
    for replicate, network in before.items():
        ticket = pruned(setup, replicate, last_rounds(setup)[density], network) if network else None
        entries += entries_at(setup, density, replicate, ticket)
    advance(0, f"density {density:.4g}, {len(entries)} networks")
    return train(setup, entries, advance)


def _write(setup: GrowSetup, folder: RunFolder, step: float, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    for outcome in outcomes:
        outcome.network.save(network_file(folder, *(outcome.row[name] for name in NETWORK)))
        if outcome.seen:
            write_snapshots(growth_file(folder, outcome.row["arm"], outcome.row["density"]), setup, outcome.seen)
    return {"outcomes": [{name: getattr(one, name) for name in ("row", "curve", "wiring")} for one in outcomes]}
