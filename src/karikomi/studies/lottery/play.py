"""Playing the rounds, here or on a cluster; what is journaled is not done again."""

import sys
from collections.abc import Mapping
from concurrent.futures import Executor

from karikomi.engines.choice import warm_up
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies.chains import play_chains
from karikomi.studies.lottery.protocol import Outcome, networks_per_round, play_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ticket_file
from karikomi.studies.lottery.tickets import Ticket, load_ticket
from karikomi.studies.setup import Setup


def play(setup: Setup[LotterySettings], folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Play every round that the journal does not have.

    Without a pool all replicates of a round are one list for the engine. With one, each replicate goes through its
    rounds on its own, and its rounds are the tasks.

    A round's tickets are on disk before its line is in the journal: whenever it is killed, the next start finds
    a piece of work whole or not at all, and repeats the same work with the same streams.
    """
    s = setup.settings
    steps = {number: networks_per_round(s, number) * s.iterations for number in range(s.rounds + 1)}
    done = {(replicate, r["round"]) for r in folder.journal.records() for replicate in r["replicates"]}
    chains = {
        replicate: {number: steps[number] for number in steps if (replicate, number) not in done}
        for replicate in range(s.replicates)
    }

    def past(replicate: int, number: int) -> dict[int, Ticket]:
        needed = {0, number - 1} if number else set()
        return {n: load_ticket(ticket_file(folder, replicate, n), setup.architecture) for n in needed}

    if pool is None:
        warm_up(setup.engine, lambda text: None if quiet else print(text, file=sys.stderr, flush=True))
    total = sum(steps.values()) * s.replicates
    for number, replicates, outcomes in play_chains("lottery", _play, past, setup, chains, total, quiet, pool):
        for outcome in outcomes:
            if outcome.ticket is not None:
                outcome.ticket.save(ticket_file(folder, outcome.row["replicate"], number))
        rows, curves = [outcome.row for outcome in outcomes], [outcome.curve for outcome in outcomes]
        folder.journal.append({"round": number, "replicates": replicates, "rows": rows, "curves": curves})


def _play(
    setup: Setup[LotterySettings], advance: Advance, number: int, pasts: Mapping[int, Mapping[int, Ticket]]
) -> list[Outcome]:
    s = setup.settings
    advance(0, f"round {number} of {s.rounds}, {networks_per_round(s, number) * len(pasts)} networks")
    return play_round(setup, number, list(pasts), lambda replicate, earlier: pasts[replicate][earlier], advance)
