"""The work of the stability study: the starts, then the rounds of each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from karikomi.engines.contract import OptimizerState
from karikomi.runs.checkpoint import Checkpoint, read_network
from karikomi.runs.folder import RunFolder
from karikomi.studies.stability.protocol import Measured, Past, StabilitySetup, Start, Step, run_round, start
from karikomi.studies.stability.tables import ROUNDS, STARTS, start_file, ticket_file
from karikomi.studies.stage import Stage, Task


def stages(setup: StabilitySetup) -> list[Stage]:
    return [
        Stage(STARTS, _start_tasks, start, _write_starts, lockstep=True),
        Stage(ROUNDS, _tasks, run_round, _write, _past, lockstep=True),
    ]


def _start_tasks(setup: StabilitySetup, folder: RunFolder) -> dict[Task, int]:
    return {Task(r, after): after for after in setup.settings.after for r in range(setup.settings.replicates)}


def _tasks(setup: StabilitySetup, folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    return {
        Task(r, Step(after, number)): (3 if s.rounds else 2) * (s.iterations - after)
        for after in s.after
        for number in range(s.rounds + 1)
        for r in range(s.replicates)
    }


def _past(setup: StabilitySetup, folder: RunFolder, task: Task) -> Past:
    after, number = task.step
    begun = read_network(start_file(folder, task.replicate, after), setup.architecture)
    before = ticket_file(folder, task.replicate, after, number - 1)
    parent = read_network(before, setup.architecture).trained if number else None
    return Past(Start(begun.trained, OptimizerState.of(begun.past)), parent)


def _write_starts(setup: StabilitySetup, folder: RunFolder, after: int, starts: Mapping[int, Start]) -> dict[str, Any]:
    for replicate, (network, state) in starts.items():
        provenance = setup.provenance(folder.study, replicate, after=after)
        Checkpoint(network, state.groups() if state else {}, provenance).save(start_file(folder, replicate, after))
    return {}


def _write(setup: StabilitySetup, folder: RunFolder, step: Step, found: Sequence[Measured]) -> dict[str, Any]:
    for one in found:
        if one.parent is not None:
            one.parent.save(ticket_file(folder, one.rows[0]["replicate"], *step))
    return {
        "rows": [row for one in found for row in one.rows],
        "lines": [asdict(line) for one in found for line in one.lines],
    }
