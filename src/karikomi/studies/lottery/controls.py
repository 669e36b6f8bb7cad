"""A ticket with other weights, to tell what it owes to its own (Zhou et al. 2019, arXiv 1905.01067)."""

from dataclasses import replace

import numpy as np

from karikomi.networks.subnetwork import Subnetwork


def spreads(initial: Subnetwork) -> dict[str, float]:
    """σ of each layer: the standard deviation of its initial weights."""
    return {name: float(initial.weights[name][mask].std()) for name, mask in initial.masks.items()}


def signed_as(ticket: Subnetwork, fresh: Subnetwork) -> Subnetwork:
    """``fresh`` under the ticket's mask, every link with the sign that it has in the ticket."""
    signed = {name: np.copysign(fresh.weights[name], ticket.weights[name]) for name in ticket.masks}
    return replace(fresh, weights={**fresh.weights, **signed}).masked(ticket.masks)


def constant(ticket: Subnetwork, initial: Subnetwork) -> Subnetwork:
    """Every link ± σ of its layer in ``initial``, with its sign in the ticket."""
    signed = {name: np.copysign(sigma, ticket.weights[name]) for name, sigma in spreads(initial).items()}
    return replace(ticket, weights={**ticket.weights, **signed}).masked(ticket.masks)


def reshuffled(ticket: Subnetwork, rng: np.random.Generator) -> Subnetwork:
    """The weights of the links permuted among the links of each layer."""
    permuted = {name: np.zeros_like(ticket.weights[name]) for name in ticket.masks}
    for name, mask in ticket.masks.items():
        permuted[name][mask] = rng.permutation(ticket.weights[name][mask])
    return replace(ticket, weights={**ticket.weights, **permuted})


def noised(ticket: Subnetwork, initial: Subnetwork, level: float, rng: np.random.Generator) -> Subnetwork:
    """Gaussian noise of ``level`` σ on the links, σ of each layer (Frankle & Carbin 2019, appendix F.7)."""
    noise = {
        name: level * sigma * rng.standard_normal(ticket.weights[name].shape)
        for name, sigma in spreads(initial).items()
    }
    weights = {name: ticket.weights[name] + more.astype(np.float32) for name, more in noise.items()}
    return replace(ticket, weights={**ticket.weights, **weights}).masked(ticket.masks)


def completed(ticket: Subnetwork, origin: Subnetwork) -> Subnetwork:
    """The ticket with every link of ``origin`` that it has not, at its value there."""
    missing = {name: np.where(mask, ticket.weights[name], origin.weights[name]) for name, mask in ticket.masks.items()}
    return replace(ticket, weights={**ticket.weights, **missing}, masks=origin.masks)
