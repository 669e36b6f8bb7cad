"""The work of the ageing study: training, the draw of who dies when, and the cycles."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.homeostasis import check_variance
from karikomi.removal.regrowth import check_regrowth
from karikomi.removal.scores import unit_criterion
from karikomi.removal.units import check_removable
from karikomi.runs.files import write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies.ageing.lives import Aged, Past, lives, read_lives, write_lives
from karikomi.studies.ageing.protocol import Cycle, healthy_rows, retraining_steps, run_cycle, scratch_steps
from karikomi.studies.ageing.schedule import AgeingSetup, Schedule, draw_schedules
from karikomi.studies.ageing.settings import REGROWTH, SCRATCH, TRAINED, AgeingSettings
from karikomi.studies.ageing.tables import (
    CYCLES,
    DEATHS,
    aged_file,
    deaths_file,
    drawn,
    layout_file,
    life_snapshot_file,
    read_schedule,
)
from karikomi.studies.healthy.networks import load_healthy, prepare_healthy, training
from karikomi.studies.healthy.scoring import evidence, try_criteria
from karikomi.studies.healthy.viewing import viewing
from karikomi.studies.snapshots import write_snapshots
from karikomi.studies.stage import Stage, Task, records


class Drawn(NamedTuple):
    """How many cycles a life has, who dies when in every replicate, and the rows of the healthy networks."""

    cycles: int
    schedules: list[Schedule]
    rows: list[dict[str, Any]]


def prepare(settings: AgeingSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> AgeingSetup:
    """As :func:`karikomi.studies.healthy.networks.prepare_healthy`, and everybody's death tried on untrained networks.

    Raises:
        InputError: also where units cannot be removed, more are to die than there are, or a layer would be empty.
    """
    setup = prepare_healthy(settings, data, models)
    check_removable(setup.architecture)
    if "homeostasis" in settings.arms and settings.homeostasis == "variance":
        check_variance(setup.architecture)
    if REGROWTH in settings.arms:
        check_regrowth(setup.architecture)
    try_criteria(setup, settings.scored_by)
    streams = [seeds.stream(settings.seed, "init", replicate) for replicate in range(settings.replicates)]
    tried = setup.trained or [setup.initial(replicate, rng) for replicate, rng in enumerate(streams)]
    setup.engine.activations(tried[0], setup.data.test.take(np.arange(1)))  # every unit can be observed
    units = setup.architecture.units
    cycles, _ = draw_schedules(setup, tried, lambda replicate, name: np.arange(units, dtype=float))
    if beyond := [number for number in settings.scratch_at if not 1 <= number <= cycles]:
        raise InputError(f"scratch_at names cycle {beyond[0]}; a life has the cycles 1 to {cycles}")
    if {*TRAINED, SCRATCH} & {*settings.arms}:
        retraining_steps(setup)
    return setup


def stages(setup: AgeingSetup) -> list[Stage]:
    return [
        training(setup),
        viewing(),
        Stage(DEATHS, _draws, _draw, _write_draw, load_healthy, lockstep=True, here=True),
        Stage(CYCLES, _cycles, run_cycle, _write_cycle, _past, lockstep=True, tidy=_drop_past),
    ]


def scratch_cycles(settings: AgeingSettings, cycles: int) -> set[int]:
    """The cycles with networks from scratch."""
    if SCRATCH not in settings.arms:
        return set()
    return set(settings.scratch_at) or {-(-cycles // 2), cycles}


def _draws(setup: AgeingSetup, folder: RunFolder) -> dict[Task, int]:
    return {Task(replicate): 0 for replicate in range(setup.settings.replicates)}


def _draw(setup: AgeingSetup, advance: Advance, step: int, healthy: Mapping[int, Subnetwork]) -> Drawn:
    seen = cache(lambda replicate: evidence(setup, replicate, healthy[replicate]))
    cycles, schedules = draw_schedules(
        setup, list(healthy.values()), lambda replicate, name: unit_criterion(name).function(seen(replicate))
    )
    return Drawn(cycles, schedules, healthy_rows(setup, healthy))


def _write_draw(setup: AgeingSetup, folder: RunFolder, step: int, found: Drawn) -> dict[str, Any]:
    for replicate, schedule in enumerate(found.schedules):
        arrays = {f"{pattern}/{name}": when for pattern, by in schedule.items() for name, when in by.items()}
        write_arrays(deaths_file(folder, replicate), arrays, {})
    if setup.layout is not None:
        kinds = {"groups": setup.layout.groups, "positions": setup.layout.positions}
        arrays = {f"{kind}/{layer}": array for kind, by in kinds.items() for layer, array in by.items()}
        write_arrays(layout_file(folder), arrays, {})
    return {"cycles": found.cycles, "layers": setup.architecture.hidden_units, "rows": found.rows}


def _cycles(setup: AgeingSetup, folder: RunFolder) -> dict[Task, int]:
    s, cycles = setup.settings, _last_cycle(folder)
    trained = sum(life.arm in TRAINED for life in lives(s))
    tasks = {}
    for number in range(1, cycles + 1):
        scratch = len(s.drawn) if number in scratch_cycles(s, cycles) else 0
        steps = trained and trained * retraining_steps(setup)
        steps += scratch and scratch * scratch_steps(setup, number)
        tasks |= {Task(replicate, number): steps for replicate in range(s.replicates)}
    return tasks


def _past(setup: AgeingSetup, folder: RunFolder, task: Task) -> Past:
    s, healthy = setup.settings, load_healthy(setup, folder, Task(task.replicate))
    if task.step == 1:
        now = {life: Aged(healthy) for life in lives(s)}
    else:
        aged = read_lives(aged_file(folder, task.replicate, task.step - 1), healthy.architecture)
        now = {life: aged[life] for life in lives(s)}  # files keep an order of their own
    scratch = task.step in scratch_cycles(s, _last_cycle(folder))
    return Past(healthy, read_schedule(folder, task.replicate), now, scratch)


def _write_cycle(setup: AgeingSetup, folder: RunFolder, number: int, cycle: Cycle) -> dict[str, Any]:
    for replicate, aged in cycle.lives.items():
        write_lives(aged_file(folder, replicate, number), aged, setup, replicate, number)
    for life, seen in cycle.seen.items():
        write_snapshots(life_snapshot_file(folder, life, number), setup, {number: seen})
    return {"rows": cycle.rows}


def _drop_past(setup: AgeingSetup, folder: RunFolder) -> None:
    """Files of earlier cycles, of which each has the size of all lives."""
    cycles = _last_cycle(folder)
    kept = scratch_cycles(setup.settings, cycles) | {cycles}
    passed = records(folder, CYCLES)
    for replicate in range(setup.settings.replicates):
        last = max((task.step for task in passed if task.replicate == replicate), default=1)
        for number in set(range(1, last)) - kept:
            aged_file(folder, replicate, number).unlink(missing_ok=True)


def _last_cycle(folder: RunFolder) -> int:
    record = drawn(folder)
    assert record is not None, "drawn in the stage before"
    return record["cycles"]
