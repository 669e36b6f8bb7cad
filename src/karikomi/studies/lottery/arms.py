"""The networks of a round: the tickets of every variant, and beside each its controls."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from karikomi import seeds
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.allocation import links_by_layer
from karikomi.removal.masks import random_links, shuffle_links
from karikomi.runs.checkpoint import FINAL, INITIAL, snapshot
from karikomi.studies.lottery.conditions import ONCE, TRANSFERRED
from karikomi.studies.lottery.controls import completed, constant, reshuffled, signed_as
from karikomi.studies.lottery.pruning import Past, begins_with, next_masks, target
from karikomi.studies.lottery.settings import LotterySettings, Rewind, Variant
from karikomi.studies.lottery.transfer import transferred
from karikomi.studies.setup import Setup


@dataclass(frozen=True)
class Entry:
    """One network of a round.

    Attributes:
        variant: the label of its chain; "" of the dense networks, and where there is one chain.
        reinit: counts re-initializations from 1 and is 0 in all other arms.
        links: those of the dense network.
        rewind: where it starts.
        frozen: which of its links are not trained; None: all are.
    """

    replicate: int
    variant: str
    arm: str
    reinit: int
    network: Subnetwork
    links: int
    rewind: Rewind = 0
    frozen: Arrays | None = None


def entries(setup: Setup[LotterySettings], number: int, replicate: int, past: Past) -> Iterator[Entry]:
    """The networks of one replicate in round ``number``; in round 0 the dense one, and with it the supermask's."""
    s = setup.settings
    if number == 0:
        dense = setup.initial(replicate, seeds.stream(s.seed, "init", replicate))
        yield from (Entry(replicate, "", arm, 0, dense, dense.links) for arm in s.arms if arm in ONCE)
        return
    for variant in s.variants:
        yield from _of_variant(setup, variant, number, replicate, past)
    dense = past(replicate, 0, "")
    for arm, network in transferred(setup, number, replicate, replace(dense.trained, weights=dense.past[INITIAL])):
        yield Entry(replicate, "", arm, 0, network, dense.trained.links)


def networks_per_round(settings: LotterySettings, number: int) -> int:
    """How many networks round ``number`` trains for one replicate."""
    once, given = (len({*some} & {*settings.arms}) for some in (ONCE, TRANSFERRED))
    if number == 0:
        return once
    arms = len(settings.arms) - once - given + ("reinit" in settings.arms) * (settings.reinits - 1)
    return arms * len(settings.variants) + given * settings.transfers_in(number)


def _of_variant(
    setup: Setup[LotterySettings], variant: Variant, number: int, replicate: int, past: Past
) -> Iterator[Entry]:
    s, dense, rewind = setup.settings, past(replicate, 0, ""), variant.rewind
    late = isinstance(rewind, int) and rewind > 0
    initial = replace(dense.trained, weights=dense.past[INITIAL])
    origin = replace(initial, weights=dense.past[snapshot(int(rewind))]) if late else initial
    left = target(s, variant, origin, number)

    def entry(arm: str, network: Subnetwork, reinit: int = 0, frozen: Arrays | None = None) -> Entry:
        return Entry(replicate, variant.label, arm, reinit, network, dense.trained.links, rewind, frozen)

    if "ticket" in s.arms:
        masks = next_masks(setup, variant, past, left, number, replicate)
        before = begins_with(s, variant, past, number, replicate)
        start = origin if isinstance(rewind, int) else replace(origin, weights=before.past[FINAL])
        ticket = start.masked(masks)
        yield entry("ticket", ticket)
        for k in range(1, s.reinits + 1) if "reinit" in s.arms else ():
            yield entry("reinit", _fresh(setup, number, replicate, k).masked(masks), k)
        for arm, network in _controls(setup, number, replicate, ticket, origin, initial):
            yield entry(arm, network)
        if "frozen" in s.arms:
            frozen = {name: mask & ~masks[name] for name, mask in origin.masks.items()}
            yield entry("frozen", completed(ticket, origin), frozen=frozen)
    if "inverted" in s.arms:
        masks = next_masks(setup, variant, past, left, number, replicate, inverted=True)
        yield entry("inverted", origin.masked(masks))
    if "random" in s.arms:
        # One draw per replicate, whatever the round: the masks of later rounds are nested in the earlier ones'.
        rng = seeds.stream(s.seed, "random", replicate)
        yield entry("random", origin.masked(random_links(origin.masks, left, rng)))


def _controls(
    setup: Setup[LotterySettings],
    number: int,
    replicate: int,
    ticket: Subnetwork,
    origin: Subnetwork,
    initial: Subnetwork,
) -> Iterator[tuple[str, Subnetwork]]:
    """What is made from a ticket, and trained as it is: ``origin`` is what it is rewound to."""
    s, masks = setup.settings, ticket.masks
    if "shuffled" in s.arms:
        shuffled = shuffle_links(masks, origin.masks, seeds.stream(s.seed, "shuffle", replicate, number))
        yield "shuffled", origin.masked(shuffled)
    if "signed-reinit" in s.arms:
        # The draw of the first re-initialization: the two differ by their signs alone.
        yield "signed-reinit", signed_as(ticket, _fresh(setup, number, replicate, 1))
    if "constant" in s.arms:
        yield "constant", constant(ticket, initial)
    if "reshuffled-weights" in s.arms:
        yield "reshuffled-weights", reshuffled(ticket, seeds.stream(s.seed, "reshuffle", replicate, number))
    if "layerwise-random" in s.arms:
        rng = seeds.stream(s.seed, "layerwise", replicate)  # one draw, as of random
        yield "layerwise-random", origin.masked(random_links(origin.masks, links_by_layer(masks), rng))


def _fresh(setup: Setup[LotterySettings], number: int, replicate: int, k: int) -> Subnetwork:
    """The ``k``-th re-initialization of a round."""
    return setup.initial(replicate, seeds.stream(setup.settings.seed, "reinit", replicate, number, k))
