"""Lottery tickets with given links in every layer: train, remove by magnitude, rewind, again."""

import math
from collections.abc import Mapping

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Advance
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.allocation import links_by_layer
from karikomi.removal.masks import remove_links
from karikomi.studies.grow.protocol import GrowSetup, dense_network, full_masks, links_of


def rounds_of(setup: GrowSetup) -> list[dict[str, int]]:
    """The links of every layer after each round; before the first one all of them.

    One way leads through all densities. Between two of them the rounds are as few as the rate allows, and remove the
    same share of a layer each.
    """
    rounds = [links_by_layer(full_masks(setup))]
    for links in links_of(setup).values():
        before = rounds[-1]
        share = sum(links.values()) / sum(before.values())
        count = max(1, math.ceil(math.log(share) / math.log(1 - setup.settings.ticket_rate) - 1e-9))
        rounds += [
            {name: round(before[name] * (links[name] / before[name]) ** (number / count)) for name in links}
            for number in range(1, count + 1)
        ]
    return rounds


def last_rounds(setup: GrowSetup) -> dict[float, int]:
    """By density the round that leads to its ticket."""
    rounds = rounds_of(setup)
    return {density: rounds.index(links) for density, links in links_of(setup).items()}


def pruned(setup: GrowSetup, replicate: int, number: int, trained: Subnetwork) -> Arrays:
    """The masks after round ``number``, from the network that was trained in the round before."""
    scores = {name: np.abs(trained.weights[name]) for name in trained.masks}
    rng = seeds.stream(setup.settings.seed, "ties", replicate, number)
    return remove_links(trained.masks, scores, rounds_of(setup)[number], rng)


def train_rewound(
    setup: GrowSetup, number: int, before: Mapping[int, Subnetwork], advance: Advance | None
) -> dict[int, Subnetwork]:
    """The networks of round ``number``, by replicate: pruned, rewound to the initial weights and trained."""
    rewound = {r: dense_network(setup, r).masked(pruned(setup, r, number, network)) for r, network in before.items()}
    trials = [setup.trial(network, r) for r, network in rewound.items()]
    results = setup.engine.train(trials, setup.data, setup.settings.recipe(), advance)
    return {r: result.final for r, result in zip(rewound, results, strict=True)}
