"""Playing the rounds, here or on a cluster; what is journaled is not done again."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import lru_cache
from itertools import islice

from karikomi.engines.choice import warm_up
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance, progress
from karikomi.studies.lottery.protocol import Outcome, networks_per_round, play_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ticket_file
from karikomi.studies.lottery.tickets import Ticket, load_ticket
from karikomi.studies.setup import Setup, prepare


def play(setup: Setup[LotterySettings], folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Play every round that the journal does not have.

    Without a pool all replicates of a round are one list for the engine. With one, each replicate goes through its
    rounds on its own, and its rounds are the tasks.

    A round's tickets are on disk before its line is in the journal: whenever it is killed, the next start finds
    a piece of work whole or not at all, and repeats the same work with the same streams.
    """
    s = setup.settings
    networks = [networks_per_round(s, number) for number in range(s.rounds + 1)]
    done = {(replicate, r["round"]) for r in folder.journal.records() for replicate in r["replicates"]}
    finished = sum(networks[number] for _, number in done)
    total = sum(networks) * s.replicates
    if pool is None:
        warm_up(setup.engine, lambda text: None if quiet else print(text, file=sys.stderr, flush=True))
    with progress("lottery", total * s.iterations, quiet, finished * s.iterations) as advance:
        if pool is None:
            _play_here(setup, folder, done, advance)
        else:
            _play_on(pool, setup, folder, done, advance)


def _play_here(setup: Setup[LotterySettings], folder: RunFolder, done: set[tuple[int, int]], advance: Advance) -> None:
    s = setup.settings

    def past(replicate: int, number: int) -> Ticket:
        return load_ticket(ticket_file(folder, replicate, number), setup.module)

    for number in range(s.rounds + 1):
        replicates = [replicate for replicate in range(s.replicates) if (replicate, number) not in done]
        if replicates:
            advance(0, f"round {number} of {s.rounds}, {networks_per_round(s, number) * len(replicates)} networks")
            _record(folder, number, replicates, play_round(setup, number, replicates, past, advance))


def _play_on(
    pool: Executor, setup: Setup[LotterySettings], folder: RunFolder, done: set[tuple[int, int]], advance: Advance
) -> None:
    s = setup.settings

    def rounds(replicate: int) -> Iterator[tuple[Future[list[Outcome]], int, int]]:
        """Submits the next round when asked for it, which is after the one before has been recorded."""
        for number in range(s.rounds + 1):
            if (replicate, number) not in done:
                needed = {0, number - 1} if number else set()
                past = {n: load_ticket(ticket_file(folder, replicate, n), setup.module) for n in needed}
                yield pool.submit(_play_there, s.model_dump_json(), number, replicate, past), replicate, number

    waiting = [rounds(replicate) for replicate in range(s.replicates)]
    running = {task: (chain, *which) for chain in waiting for task, *which in islice(chain, 1)}
    while running:
        for task in wait(running, return_when=FIRST_COMPLETED).done:
            chain, replicate, number = running.pop(task)
            _record(folder, number, [replicate], task.result())
            advance(networks_per_round(s, number) * s.iterations, f"round {number} of replicate {replicate}")
            running |= {task: (chain, *which) for task, *which in islice(chain, 1)}


def _play_there(settings: str, number: int, replicate: int, past: dict[int, Ticket]) -> list[Outcome]:
    return play_round(_setup(settings), number, [replicate], lambda _, earlier: past[earlier])


@lru_cache(maxsize=1)
def _setup(settings: str) -> Setup[LotterySettings]:
    return prepare(LotterySettings.model_validate_json(settings))


def _record(folder: RunFolder, number: int, replicates: Sequence[int], outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.ticket is not None:
            outcome.ticket.save(ticket_file(folder, outcome.row["replicate"], number))
    rows, curves = [outcome.row for outcome in outcomes], [outcome.curve for outcome in outcomes]
    folder.journal.append({"round": number, "replicates": list(replicates), "rows": rows, "curves": curves})
