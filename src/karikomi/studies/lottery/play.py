"""Playing the rounds: what is journaled is not done again."""

from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import progress
from karikomi.studies.lottery.protocol import networks_per_round, play_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ticket_file
from karikomi.studies.lottery.tickets import Ticket, load_ticket
from karikomi.studies.setup import Setup


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
