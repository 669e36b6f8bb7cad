"""The networks of a round: the tickets of every variant, and beside each its controls."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from karikomi import seeds
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.allocation import prune
from karikomi.removal.masks import shuffle_links
from karikomi.runs.checkpoint import FINAL, INITIAL, snapshot
from karikomi.studies.lottery.anatomy import spreads
from karikomi.studies.lottery.pruning import Past, begins_with, next_masks, target
from karikomi.studies.lottery.settings import NOISE, TRANSFERRED, LotterySettings, Rewind, Variant
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
    """

    replicate: int
    variant: str
    arm: str
    reinit: int
    network: Subnetwork
    links: int
    rewind: Rewind = 0


def entries(setup: Setup[LotterySettings], number: int, replicate: int, past: Past) -> Iterator[Entry]:
    """The networks of one replicate in round ``number``; 0 is the dense one."""
    s = setup.settings
    if number == 0:
        dense = setup.initial(replicate, seeds.stream(s.seed, "init", replicate))
        yield Entry(replicate, "", "dense", 0, dense, dense.links)
        return
    for variant in s.variants:
        for arm, reinit, network in _of_variant(setup, variant, number, replicate, past):
            links = past(replicate, 0, "").trained.links
            yield Entry(replicate, variant.label, arm, reinit, network, links, variant.rewind)
    dense = past(replicate, 0, "")
    for arm, network in transferred(setup, number, replicate, replace(dense.trained, weights=dense.past[INITIAL])):
        yield Entry(replicate, "", arm, 0, network, dense.trained.links)


def networks_per_round(settings: LotterySettings, number: int) -> int:
    """How many networks round ``number`` trains for one replicate."""
    if number == 0:
        return 1
    given = len({*TRANSFERRED} & {*settings.arms})
    arms = len(settings.arms) - 1 - given + ("reinit" in settings.arms) * (settings.reinits - 1)
    return arms * len(settings.variants) + given * settings.transfers_in(number)


def _of_variant(
    setup: Setup[LotterySettings], variant: Variant, number: int, replicate: int, past: Past
) -> Iterator[tuple[str, int, Subnetwork]]:
    """Arm, number of the re-initialization and network."""
    s, dense, rewind = setup.settings, past(replicate, 0, ""), variant.rewind
    late = isinstance(rewind, int) and rewind > 0
    origin = replace(dense.trained, weights=dense.past[snapshot(int(rewind)) if late else INITIAL])
    left = target(s, variant, origin, number)
    if "ticket" in s.arms:
        masks = next_masks(setup, variant, past, left, number, replicate)
        before = begins_with(s, variant, past, number, replicate)
        start = origin if isinstance(rewind, int) else replace(origin, weights=before.past[FINAL])
        yield "ticket", 0, start.masked(masks)
        for k in range(1, s.reinits + 1) if "reinit" in s.arms else ():
            fresh = setup.initial(replicate, seeds.stream(s.seed, "reinit", replicate, number, k))
            yield "reinit", k, fresh.masked(masks)
        if "shuffled" in s.arms:
            shuffled = shuffle_links(masks, origin.masks, seeds.stream(s.seed, "shuffle", replicate, number))
            yield "shuffled", 0, origin.masked(shuffled)
        for arm in (arm for arm in NOISE if arm in s.arms):
            rng = seeds.stream(s.seed, "noise", replicate, number)  # the same draws, however much there is of them
            yield arm, 0, _noised(start.masked(masks), spreads(dense), NOISE[arm], rng)
    if "random" in s.arms:
        # One draw per replicate, whatever the round: the masks of later rounds are nested in the earlier ones'.
        rng = seeds.stream(s.seed, "random", replicate)
        draw = {name: rng.random(mask.shape) for name, mask in origin.masks.items()}
        yield "random", 0, origin.masked(prune(origin.masks, lambda masks: draw, left, rng))


def _noised(ticket: Subnetwork, sigma: Mapping[str, float], level: float, rng: np.random.Generator) -> Subnetwork:
    """Gaussian noise of ``level`` σ of each layer on its links (Frankle & Carbin 2019, appendix F.7)."""
    noise = {name: level * each * rng.standard_normal(ticket.weights[name].shape) for name, each in sigma.items()}
    weights = {name: ticket.weights[name] + more.astype(np.float32) for name, more in noise.items()}
    return replace(ticket, weights={**ticket.weights, **weights}).masked(ticket.masks)
