"""The work of the lottery study: its rounds."""

from collections.abc import Mapping, Sequence
from typing import Any

from karikomi.runs.checkpoint import Checkpoint, read_network
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies.lottery.protocol import Outcome, networks_per_round, run_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ROUNDS, ticket_file
from karikomi.studies.setup import Setup
from karikomi.studies.stage import Stage, Task


def stages(setup: Setup[LotterySettings]) -> list[Stage]:
    return [Stage(ROUNDS, _tasks, _compute, _write, _past, lockstep=True)]


def _tasks(setup: Setup[LotterySettings], folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    return {
        Task(replicate, number): networks_per_round(s, number) * s.iterations
        for number in range(s.rounds + 1)
        for replicate in range(s.replicates)
    }


def _past(setup: Setup[LotterySettings], folder: RunFolder, task: Task) -> dict[int, Checkpoint]:
    """The tickets of the rounds that a round begins with."""
    needed = {0, task.step - 1} if task.step else set()
    return {number: read_network(ticket_file(folder, task.replicate, number), setup.architecture) for number in needed}


def _compute(
    setup: Setup[LotterySettings], advance: Advance, number: int, pasts: Mapping[int, Mapping[int, Checkpoint]]
) -> list[Outcome]:
    s = setup.settings
    advance(0, f"round {number} of {s.rounds}, {networks_per_round(s, number) * len(pasts)} networks")
    return run_round(setup, number, list(pasts), lambda replicate, earlier: pasts[replicate][earlier], advance)


def _write(
    setup: Setup[LotterySettings], folder: RunFolder, number: int, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    for outcome in outcomes:
        if outcome.ticket is not None:
            outcome.ticket.save(ticket_file(folder, outcome.row["replicate"], number))
    return {"rows": [outcome.row for outcome in outcomes], "curves": [outcome.curve for outcome in outcomes]}
