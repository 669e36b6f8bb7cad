"""The work of the lottery study: its rounds, and the anatomy of their tickets."""

from collections.abc import Mapping, Sequence
from typing import Any

from karikomi.data.dataset import Dataset
from karikomi.networks.subnetwork import Subnetwork
from karikomi.runs.checkpoint import Checkpoint, read_network
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies.lottery.anatomy_stage import anatomy, exemplars
from karikomi.studies.lottery.arms import networks_per_round
from karikomi.studies.lottery.protocol import Outcome, done_before, run_round
from karikomi.studies.lottery.pruning import check_criteria
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ROUNDS, SNAPSHOTS, snapshot_file, ticket_file
from karikomi.studies.lottery.transfer import check_start
from karikomi.studies.setup import Setup
from karikomi.studies.setup import prepare as prepare_any
from karikomi.studies.snapshots import REPLICATE, Snapshot, look, write_snapshots
from karikomi.studies.stage import Stage, Task


def prepare(settings: LotterySettings, data: Dataset | None = None, models: Any = ()) -> Setup[LotterySettings]:
    """Load and check everything, the criteria on the network and the tickets of another run too."""
    setup = prepare_any(settings, data, models)
    check_criteria(setup)
    check_start(setup)
    return setup


def stages(setup: Setup[LotterySettings]) -> list[Stage]:
    return [
        Stage(ROUNDS, _tasks, _compute, _write, _past, lockstep=True),
        anatomy(),
        exemplars(),
        Stage(SNAPSHOTS, _snapshots, look, _write_snapshot, _ticket, lesions=True),
    ]


def _tasks(setup: Setup[LotterySettings], folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    later = sum(s.iterations - done_before(variant.rewind) for variant in s.variants) // len(s.variants)
    return {
        Task(replicate, number): networks_per_round(s, number) * (later if number else s.iterations)
        for number in range(s.rounds + 1)
        for replicate in range(s.replicates)
    }


def _past(setup: Setup[LotterySettings], folder: RunFolder, task: Task) -> dict[tuple[int, str], Checkpoint]:
    """The tickets, by round and variant, that a round begins with."""
    needed: set[tuple[int, str]] = {(0, "")} if task.step else set()
    if task.step > 1 and "ticket" in setup.settings.arms:
        needed |= {(task.step - 1, variant.label) for variant in setup.settings.variants}
    files = {which: ticket_file(folder, task.replicate, *which) for which in needed}
    return {which: read_network(file, setup.architecture) for which, file in files.items()}


def _compute(
    setup: Setup[LotterySettings],
    advance: Advance,
    number: int,
    pasts: Mapping[int, Mapping[tuple[int, str], Checkpoint]],
) -> list[Outcome]:
    s = setup.settings
    advance(0, f"round {number} of {s.rounds}, {networks_per_round(s, number) * len(pasts)} networks")
    return run_round(setup, number, list(pasts), lambda replicate, *which: pasts[replicate][which], advance)


def _write(
    setup: Setup[LotterySettings], folder: RunFolder, number: int, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    for outcome in outcomes:
        if outcome.ticket is not None:
            row = outcome.row
            outcome.ticket.save(ticket_file(folder, row["replicate"], number, row.get("variant", "")))
    return {"rows": [outcome.row for outcome in outcomes], "curves": [outcome.curve for outcome in outcomes]}


def _snapshots(setup: Setup[LotterySettings], folder: RunFolder) -> dict[Task, int]:
    """The tickets that the page shows, by round and variant."""
    labels = [variant.label for variant in setup.settings.variants]
    which = [(number, label) for number in range(setup.settings.rounds + 1) for label in (labels if number else [""])]
    tickets = [Task(REPLICATE, one) for one in which]
    return {task: 1 for task in tickets if ticket_file(folder, REPLICATE, *task.step).exists()}


def _ticket(setup: Setup[LotterySettings], folder: RunFolder, task: Task) -> Subnetwork:
    return read_network(ticket_file(folder, REPLICATE, *task.step), setup.architecture).trained


def _write_snapshot(setup: Setup[LotterySettings], folder: RunFolder, task: Task, seen: Snapshot) -> dict[str, Any]:
    write_snapshots(snapshot_file(folder, *task.step), setup, {task.step[0]: seen})
    return {}
