"""A ticket as a file of its own."""

from dataclasses import replace
from pathlib import Path

from karikomi.errors import InputError
from karikomi.runs.folder import RunFolder
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ticket_file
from karikomi.studies.lottery.tickets import load_ticket


def export_ticket(folder: RunFolder, replicate: int, number: int, to: Path) -> None:
    """Write the ticket of ``replicate`` after round ``number``: mask, initial and trained weights, provenance.

    Raises:
        InputError: if the run has no such ticket, or ``to`` cannot be written.
    """
    if folder.study != "lottery":
        raise InputError(f"only lotteries have tickets; {folder.path} is a {folder.study} run")
    settings = LotterySettings.of(**folder.settings)
    path = ticket_file(folder, replicate, number)
    if not path.exists():
        raise InputError(
            f"{folder.path} has no ticket of replicate {replicate}, round {number};"
            f" replicates go from 0 to {settings.replicates - 1}, rounds from 0 to {settings.rounds}"
            + ("" if folder.finished else ", and the run is not finished")
        )
    if to.suffix != ".safetensors":
        raise InputError(f"a ticket is written as safetensors; name the file {to.with_suffix('.safetensors')}")
    ticket = load_ticket(path)
    try:
        replace(ticket, final={}, rewind={}, provenance={**ticket.provenance, "run": folder.identity}).save(to)
    except OSError as problem:
        raise InputError(f"cannot write {to}: {problem.strerror}") from problem
