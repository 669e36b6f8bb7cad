"""Which links a round leaves."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from karikomi import seeds
from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.allocation import Left, erdos_renyi_kernel, lamp, links_by_layer, prune, uniform
from karikomi.removal.masks import Masks, links_left
from karikomi.removal.scores import LINK_CRITERIA, Evidence
from karikomi.runs.checkpoint import FINAL, INITIAL, Checkpoint, snapshot
from karikomi.studies.lottery.settings import LotterySettings, Variant
from karikomi.studies.setup import Setup

SCORED = 2_000
"""Training examples, at most, that criteria for links measure on."""

Past = Callable[[int, int, str], Checkpoint]
"""Gives the ticket of (replicate, round, variant); round 0 is the dense network, the same for all variants."""


def target(settings: LotterySettings, variant: Variant, dense: Subnetwork, number: int) -> Left:
    """Links of ``dense`` to leave after round ``number``: per layer, or in the whole network where layers compete.

    Raises:
        InputError: if there are not as many densities as layers.
    """
    sizes = links_by_layer(dense.masks)
    if settings.layer_densities is not None:
        if len(settings.layer_densities) != len(sizes):
            raise InputError(
                f"layer_densities needs one value per layer, {len(sizes)} ({', '.join(sizes)}); it has"
                f" {len(settings.layer_densities)}"
            )
        shares = zip(sizes.items(), settings.layer_densities, strict=True)
        return {name: round(size * density ** (number / settings.rounds)) for (name, size), density in shares}
    if variant.allocation != "layer":
        left = links_left(sum(sizes.values()), settings.rate, number)
        by_layer = {"uniform": uniform, "erk": erdos_renyi_kernel}.get(variant.allocation)
        return left if by_layer is None else by_layer(dense.masks, left)
    outputs = {layer.weight for layer in dense.architecture.outputs} if settings.output_rate == "half" else set()
    rates = {name: settings.convolution_rate for name, mask in dense.masks.items() if mask.ndim > 2}
    rates |= dict.fromkeys(outputs, settings.rate / 2)
    return {name: links_left(size, rates.get(name) or settings.rate, number) for name, size in sizes.items()}


def begins_with(settings: LotterySettings, variant: Variant, past: Past, number: int, replicate: int) -> Checkpoint:
    """What round ``number`` prunes: the ticket before it.

    It is the dense network in the first round, where the schedule is one-shot, and where the criterion acts before the
    end of training: each density is pruned from it at once.
    """
    chained = number > 1 and settings.schedule == "iterative" and settings.acts(variant.criterion) == "end"
    return past(replicate, number - 1, variant.label) if chained else past(replicate, 0, "")


def next_masks(
    setup: Setup[LotterySettings],
    variant: Variant,
    past: Past,
    left: Left,
    number: int,
    replicate: int,
    *,
    inverted: bool = False,
) -> Masks:
    """The masks of a ticket of round ``number``, pruned from what the round begins with, as the criterion sees it.

    ``inverted``: the highest scores go, from the dense network, as there is no such ticket of the round before.
    """
    s, criterion = setup.settings, LINK_CRITERIA.find(variant.criterion)
    before = past(replicate, 0, "") if inverted else begins_with(s, variant, past, number, replicate)
    acts = s.acts(variant.criterion)
    state = FINAL if acts == "end" else snapshot(acts) if acts else INITIAL
    scored = replace(before.trained, weights=before.past[state])
    prunings = 1 if acts == "end" else s.prunings or criterion.prunings
    rng = seeds.stream(s.seed, "scores", replicate, number)

    def examples() -> Examples:
        known = seeds.stream(s.seed, "scoring", replicate).permutation(setup.splits[replicate].train)
        return setup.data.train.take(known[:SCORED])

    def scores(masks: Masks) -> Mapping[str, np.ndarray]:
        found = criterion.function(_evidence(scored.masked(masks), before.past[INITIAL], examples, rng))
        found = lamp(masks, found) if variant.allocation == "lamp" else found
        return {name: -each for name, each in found.items()} if inverted else found

    return prune(scored.masks, scores, left, seeds.stream(s.seed, "ties", replicate, number), prunings)


def check_criteria(setup: Setup[LotterySettings]) -> None:
    """Raise an InputError if the network has not what a criterion measures, or other layers than the densities."""
    s = setup.settings
    network = setup.initial(0, np.random.default_rng(0))
    few = setup.data.train.take(np.arange(min(10, len(setup.data.train))))
    for variant in s.variants:
        target(s, variant, network, 1)
        if (criterion := LINK_CRITERIA.find(variant.criterion)).needs:
            criterion.function(_evidence(network, network.weights, lambda: few, np.random.default_rng(0)))


def _evidence(
    network: Subnetwork, initial: Arrays, examples: Callable[[], Examples], rng: np.random.Generator
) -> Evidence:
    return Evidence(
        network.weights,
        initial,
        network.masks,
        rng,
        examples=examples,
        gradients=lambda: population.gradients(network, examples()),
        squared_gradients=lambda: population.squared_gradients(network, examples()),
        hessian_gradient=lambda: population.hessian_gradient(network, examples()),
        flow=lambda: population.synaptic_flow(network, examples().x.shape[1:]),
        input_norms=lambda: population.input_norms(network, examples()),
    )
