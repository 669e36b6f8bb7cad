"""Playing the stages, here or on a cluster; what is journaled is not done again."""

import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import cache

import numpy as np
from torch import nn

from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.engines.choice import warm_up
from karikomi.errors import InputError
from karikomi.removal.scores import unit_criterion
from karikomi.runs.files import read_arrays, write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.ageing.lives import Aged, Past, from_arrays, lives, to_arrays
from karikomi.studies.ageing.protocol import healthy_rows, play_cycle, retraining_steps, scratch_steps
from karikomi.studies.ageing.schedule import AgeingSetup, draw_schedules
from karikomi.studies.ageing.settings import SCRATCH, TRAINED, AgeingSettings
from karikomi.studies.ageing.tables import (
    CYCLE,
    DEATHS,
    aged_file,
    deaths_file,
    drawn,
    layout_file,
    passed,
    read_schedule,
)
from karikomi.studies.chains import play_chains
from karikomi.studies.healthy import networks
from karikomi.studies.healthy.networks import load_healthy, train_healthy
from karikomi.studies.healthy.scoring import evidence, try_criteria


def prepare(settings: AgeingSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> AgeingSetup:
    """As :func:`karikomi.studies.healthy.networks.prepare`, and everybody's death tried on untrained networks.

    Raises:
        InputError: also where units cannot be removed, more are to die than there are, or a layer would be empty.
    """
    setup = networks.prepare(settings, data, models)
    setup.architecture.require_chain()
    try_criteria(setup, settings.criteria)
    streams = [seeds.stream(settings.seed, "init", replicate) for replicate in range(settings.replicates)]
    tried = setup.trained or [setup.initial(replicate, rng) for replicate, rng in enumerate(streams)]
    units = setup.architecture.units
    cycles, _ = draw_schedules(setup, tried, lambda replicate, name: np.arange(units, dtype=float))
    if beyond := [number for number in settings.scratch_at if not 1 <= number <= cycles]:
        raise InputError(f"scratch_at names cycle {beyond[0]}; a life has the cycles 1 to {cycles}")
    if {*TRAINED, SCRATCH} & {*settings.arms}:
        retraining_steps(setup)
    return setup


def play(setup: AgeingSetup, folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Train, draw who dies when, and let the cycles pass.

    What a cycle leaves is on disk before its line is in the journal: whenever it is killed, the next start finds
    a piece of work whole or not at all, and repeats the same work with the same streams.
    """
    if pool is None:
        warm_up(setup.engine, lambda text: None if quiet else print(text, file=sys.stderr, flush=True))
    train_healthy(setup, folder, quiet, pool)
    if drawn(folder) is None:
        _draw(setup, folder)
    _pass(setup, folder, quiet, pool)


def scratch_cycles(settings: AgeingSettings, cycles: int) -> set[int]:
    """The cycles with networks from scratch."""
    if SCRATCH not in settings.arms:
        return set()
    return set(settings.scratch_at) or {-(-cycles // 2), cycles}


def _draw(setup: AgeingSetup, folder: RunFolder) -> None:
    """Draw who dies when in all replicates, and measure their healthy networks."""
    s, layers = setup.settings, setup.architecture.hidden_units
    healthy = {replicate: load_healthy(setup, folder, replicate) for replicate in range(s.replicates)}
    seen = cache(lambda replicate: evidence(setup, replicate, healthy[replicate]))
    cycles, schedules = draw_schedules(
        setup, list(healthy.values()), lambda replicate, name: unit_criterion(name).function(seen(replicate))
    )
    for replicate, schedule in enumerate(schedules):
        arrays = {f"{pattern}/{name}": when for pattern, by in schedule.items() for name, when in by.items()}
        write_arrays(deaths_file(folder, replicate), arrays, {})
    if setup.layout is not None:
        kinds = {"groups": setup.layout.groups, "positions": setup.layout.positions}
        arrays = {f"{kind}/{layer}": array for kind, by in kinds.items() for layer, array in by.items()}
        write_arrays(layout_file(folder), arrays, {})
    record = {"stage": DEATHS, "cycles": cycles, "replicates": s.replicates, "layers": layers}
    folder.journal.append({**record, "rows": healthy_rows(setup, healthy)})


def _pass(setup: AgeingSetup, folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    s, done, record = setup.settings, passed(folder), drawn(folder)
    assert record is not None
    cycles, everyone = record["cycles"], range(s.replicates)
    healthy = cache(lambda replicate: load_healthy(setup, folder, replicate))
    schedule = cache(lambda replicate: read_schedule(folder, replicate))
    kept = scratch_cycles(s, cycles) | {cycles}

    def past(replicate: int, number: int) -> Past:
        if number == 1:
            now = {life: Aged(healthy(replicate)) for life in lives(s)}
        else:
            now = from_arrays(read_arrays(aged_file(folder, replicate, number - 1))[0], healthy(replicate), s)
        return Past(healthy(replicate), schedule(replicate), now, number in scratch_cycles(s, cycles))

    steps = {number: _steps(setup, number, cycles) for number in range(1, cycles + 1)}
    chains = {r: {number: steps[number] for number in steps if (r, number) not in done} for r in everyone}
    total = s.replicates * sum(steps.values())
    for number, replicates, cycle in play_chains("ageing", play_cycle, past, setup, chains, total, quiet, pool):
        for replicate in replicates:
            provenance = {"settings": s.model_dump_json(), "replicate": str(replicate), "cycle": str(number)}
            write_arrays(aged_file(folder, replicate, number), to_arrays(cycle.lives[replicate]), provenance)
        folder.journal.append({"stage": CYCLE, "cycle": number, "replicates": replicates, "rows": cycle.rows})
        _drop(folder, replicates, set(range(1, number)) - kept)
    _drop(folder, everyone, set(steps) - kept)


def _steps(setup: AgeingSetup, number: int, cycles: int) -> int:
    """Training steps of a replicate in a cycle."""
    s = setup.settings
    trained = sum(life.arm in TRAINED for life in lives(s))
    scratch = len(s.drawn) if number in scratch_cycles(s, cycles) else 0
    return (trained and trained * retraining_steps(setup)) + (scratch and scratch * scratch_steps(setup, number))


def _drop(folder: RunFolder, replicates: Sequence[int], numbers: set[int]) -> None:
    """Files of earlier cycles, of which each has the size of all lives."""
    for replicate in replicates:
        for number in numbers:
            aged_file(folder, replicate, number).unlink(missing_ok=True)
