"""A ticket with other weights, to tell what it owes to its own (Zhou et al. 2019, arXiv 1905.01067)."""

from dataclasses import replace

import numpy as np

from karikomi.networks.subnetwork import Subnetwork


def signed_as(ticket: Subnetwork, fresh: Subnetwork) -> Subnetwork:
    """``fresh`` under the ticket's mask, every link with the sign that it has in the ticket."""
    signed = {name: np.copysign(fresh.weights[name], ticket.weights[name]) for name in ticket.masks}
    return replace(fresh, weights={**fresh.weights, **signed}).masked(ticket.masks)


def constant(ticket: Subnetwork, initial: Subnetwork) -> Subnetwork:
    """Every link ± the standard deviation of its layer's weights in ``initial``, with its sign in the ticket."""
    sizes = {name: initial.weights[name][mask].std() for name, mask in initial.masks.items()}
    signed = {name: np.copysign(sizes[name], ticket.weights[name]) for name in ticket.masks}
    return replace(ticket, weights={**ticket.weights, **signed}).masked(ticket.masks)


def reshuffled(ticket: Subnetwork, rng: np.random.Generator) -> Subnetwork:
    """The weights of the links permuted among the links of each layer."""
    permuted = {name: np.zeros_like(ticket.weights[name]) for name in ticket.masks}
    for name, mask in ticket.masks.items():
        permuted[name][mask] = rng.permutation(ticket.weights[name][mask])
    return replace(ticket, weights={**ticket.weights, **permuted})


def completed(ticket: Subnetwork, origin: Subnetwork) -> Subnetwork:
    """The ticket with every link of ``origin`` that it has not, at its value there."""
    missing = {name: np.where(mask, ticket.weights[name], origin.weights[name]) for name, mask in ticket.masks.items()}
    return replace(ticket, weights={**ticket.weights, **missing}, masks=origin.masks)
