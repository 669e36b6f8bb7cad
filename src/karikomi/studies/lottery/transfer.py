"""Tickets of another run, trained on this run's data beside this run's own (Morcos et al. 2019, arXiv 1906.02773)."""

from collections.abc import Iterator
from typing import Any

from karikomi import seeds
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.masks import shuffle_links
from karikomi.runs.checkpoint import INITIAL
from karikomi.runs.files import read_arrays
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.setup import Setup
from karikomi.studies.tickets import as_run, find_ticket, ticket_files


def check_start(setup: Setup[LotterySettings]) -> None:
    """Raise an InputError if the tickets of ``start`` are not there, or belong to other data or another network."""
    s = setup.settings
    if s.start is None:
        return
    _refuse_strangers(setup, s.start)
    for replicate in range(s.replicates):
        for number in range(1, s.rounds + 1):
            given_ticket(setup, replicate, number)


def given_ticket(setup: Setup[LotterySettings], replicate: int, number: int) -> Subnetwork | None:
    """The ticket of ``start`` for a round, at its initial weights; a ticket of its own belongs to the last round."""
    s = setup.settings
    if s.start is None or not s.transfers_in(number):
        return None
    which = {} if as_run(s.start) is None else {"round": number}
    found = find_ticket(s.start, replicate, module=setup.architecture.module, **which)
    return Subnetwork(setup.architecture, found.past[INITIAL], found.masks)


def transferred(
    setup: Setup[LotterySettings], number: int, replicate: int, origin: Subnetwork
) -> Iterator[tuple[str, Subnetwork]]:
    """The arms of a given ticket: itself, its mask with new weights, and as many links of each layer at random."""
    s, ticket = setup.settings, given_ticket(setup, replicate, number)
    if ticket is None:
        return
    if "transferred" in s.arms:
        yield "transferred", ticket
    if "transferred-reinit" in s.arms:
        fresh = setup.initial(replicate, seeds.stream(s.seed, "reinit", replicate, number, 0))
        yield "transferred-reinit", fresh.masked(ticket.masks)
    if "transferred-random" in s.arms:
        shuffled = shuffle_links(ticket.masks, origin.masks, seeds.stream(s.seed, "shuffle", replicate, number, 0))
        yield "transferred-random", origin.masked(shuffled)


def _refuse_strangers(setup: Setup[LotterySettings], start: str) -> None:
    """Raise an InputError if the tickets were made for other samples, classes or another network."""
    about: dict[str, Any] = next((read_arrays(path)[1] for path in ticket_files(start)), {})
    shape = ",".join(map(str, setup.built_for))
    here = {"network": setup.settings.network, "sample_shape": shape, "classes": str(setup.data.classes)}
    words = {"network": "the network", "sample_shape": "samples of shape", "classes": "a number of classes of"}
    for name, value in here.items():
        if about.get(name, value) != value:
            raise InputError(f"the tickets of {start} are for {words[name]} {about[name]}; here it is {value}")
