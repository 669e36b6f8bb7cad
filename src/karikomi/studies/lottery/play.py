"""Playing the rounds: what is journaled is not done again."""

from pathlib import Path

import pandas as pd

from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import progress
from karikomi.studies.lottery.protocol import networks_per_round, play_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tickets import Ticket, load_ticket
from karikomi.studies.setup import Setup

CURVE = ("iteration", "train_loss", "validation_loss", "validation_accuracy")
NETWORK = ("replicate", "arm", "reinit", "round", "density")


def ticket_file(folder: RunFolder, replicate: int, number: int) -> Path:
    """Where the ticket of a replicate and round is (round 0: the dense network)."""
    return folder.subnetworks / f"replicate-{replicate}-round-{number}.safetensors"


def play(setup: Setup[LotterySettings], folder: RunFolder, quiet: bool) -> None:
    """Play every round that the journal does not have.

    A round's tickets are on disk before its line is in the journal: whenever it is killed, the next start finds
    a whole round or none of it, and repeats the same work with the same streams.
    """
    s = setup.settings
    networks = [networks_per_round(s, number) * s.replicates for number in range(s.rounds + 1)]
    done = len(folder.journal.records())

    def past(replicate: int, number: int) -> Ticket:
        return load_ticket(ticket_file(folder, replicate, number), setup.module)

    with progress("lottery", sum(networks) * s.iterations, quiet, sum(networks[:done]) * s.iterations) as advance:
        for number in range(done, s.rounds + 1):
            advance(0, f"round {number} of {s.rounds}, {networks[number]} networks")
            outcomes = play_round(setup, number, range(s.replicates), past, advance)
            for outcome in outcomes:
                if outcome.ticket is not None:
                    outcome.ticket.save(ticket_file(folder, outcome.row["replicate"], number))
            rows, curves = [outcome.row for outcome in outcomes], [outcome.curve for outcome in outcomes]
            folder.journal.append({"round": number, "rows": rows, "curves": curves})


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """``table``: a row per trained network; ``curves``: a row per validation of each."""
    records = folder.journal.records()
    table = pd.DataFrame([row for record in records for row in record["rows"]])
    curves = [
        pd.DataFrame({key: row[key] for key in NETWORK} | {key: curve[key] for key in CURVE})
        for record in records
        for row, curve in zip(record["rows"], record["curves"], strict=True)
    ]
    return {"table": table, "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()}
