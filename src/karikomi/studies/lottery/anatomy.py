"""Anatomy of a ticket: which weights survive, how far they move, links of units, links that replicates share.

After Frankle & Carbin 2019, appendix F.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from karikomi.networks.subnetwork import Arrays
from karikomi.runs.checkpoint import FINAL, INITIAL, Checkpoint
from karikomi.statistics import spearman
from karikomi.studies.lottery.controls import spreads
from karikomi.studies.lottery.wiring import by_unit, grid

EDGES = np.arange(-40, 40.25, 0.25)
"""Of the histograms of weights, in σ; what lies beyond counts in the outermost bins."""

Row = dict[str, Any]


def units_of(dense: Checkpoint) -> dict[str, float]:
    """What weights of each layer are measured in: σ of the dense network's initial ones; 1 where they are all alike."""
    found = spreads(replace(dense.trained, weights=dense.past[INITIAL]))
    return {name: sigma or 1.0 for name, sigma in found.items()}


def histograms(network: Checkpoint, sigma: Mapping[str, float]) -> Iterator[Row]:
    """How many surviving weights lie between ``EDGES``, by layer and state, before and after training."""
    for name, mask in _links(network).items():
        for state in (INITIAL, FINAL):
            scaled = np.clip(network.past[state][name][mask] / sigma[name], EDGES[0], EDGES[-1])
            counts = np.histogram(scaled, EDGES)[0]
            yield {"layer": _layer(name), "state": state, "weights": counts.tolist()}


def movement(ticket: Checkpoint, dense: Checkpoint, sigma: Mapping[str, float]) -> Iterator[Row]:
    """How weights move in training, by layer: final − initial, in σ.

    ``links`` says whose: ``ticket``, in the ticket's training; ``survivors`` and ``removed``, in that of the dense
    network. distance: mean |final − initial|; outward: mean |final| − |initial|; sign_kept: share of weights;
    rank_correlation: Spearman's ρ of initial and final weights, of the ticket alone.
    """
    whole = _links(dense)
    for name, mask in _links(ticket).items():
        groups = {"ticket": (ticket, mask), "survivors": (dense, mask), "removed": (dense, whole[name] & ~mask)}
        for links, (network, chosen) in groups.items():
            if not chosen.any():
                continue
            before, after = (network.past[state][name][chosen] / sigma[name] for state in (INITIAL, FINAL))
            yield {
                "layer": _layer(name),
                "links": links,
                "weights": int(chosen.sum()),
                "distance": float(np.abs(after - before).mean()),
                "outward": float((np.abs(after) - np.abs(before)).mean()),
                "sign_kept": float((np.sign(after) == np.sign(before)).mean()),
                "rank_correlation": float(spearman(before, after)) if links == "ticket" else np.nan,
            }


def degrees(ticket: Checkpoint, possible: Arrays) -> Iterator[Row]:
    """How unevenly links are spread over units, by layer and side (``into`` its units, ``out of`` those before).

    dispersion: the sum of the units' squared deviations over what it is on average where as many links lie at random
    places of the layer (hypergeometric): 1 is chance, above is uneven. empty: the share of units without any link.
    """
    axes = ticket.trained.architecture.input_axes
    for name, mask in _links(ticket).items():
        left, places = int(mask.sum()), int(possible[name].sum())
        room = by_unit(possible[name], axes[name])
        for side, links in by_unit(mask, axes[name]).items():
            share = room[side] / places
            chance = left * share * (1 - share) * (places - left) / max(places - 1, 1)
            spread = ((links - left * share) ** 2).sum()
            yield {
                "layer": _layer(name),
                "side": side,
                "units": len(links),
                "empty": float((links == 0).mean()),
                "dispersion": float(spread / chance.sum()) if chance.sum() > 0 else np.nan,
            }


def shared_links(ticket: Checkpoint, possible: Arrays, other: Arrays, possible_other: Arrays) -> Iterator[Row]:
    """The share of their links that two masks have in common, 2 |A ∩ B| / (|A| + |B|), by layer, beside chance.

    chance: its mean where the links of either lie at random places of the layer; chance_out_of, chance_into: where they
    do so but every unit before the layer, or in it, keeps its number. These are means over all shuffled masks, exact.
    """
    axes = ticket.trained.architecture.input_axes
    for name, mask in _links(ticket).items():
        masks = [grid(m, axes[name]) for m in (mask, other[name], possible[name], possible_other[name])]
        a, b, room_a, room_b = [m.reshape(len(m), -1) for m in masks]
        size = (int(a.sum()) + int(b.sum())) / 2
        expected = {"chance": None, "chance_out_of": 0, "chance_into": 1}
        yield {
            "layer": _layer(name),
            "links": size,
            "shared": float((a & b).sum() / size) if size else np.nan,
            **{
                kind: _expected(a, b, room_a, room_b, axis) / size if size else np.nan
                for kind, axis in expected.items()
            },
        }


def _expected(a: np.ndarray, b: np.ndarray, room_a: np.ndarray, room_b: np.ndarray, axis: int | None) -> float:
    """Mean links in common of masks shuffled along an axis: each place is taken with the density of its line."""
    density_a, density_b = (m.sum(axis) / np.maximum(room.sum(axis), 1) for m, room in ((a, room_a), (b, room_b)))
    return float((density_a * density_b * (room_a & room_b).sum(axis)).sum())


def _links(network: Checkpoint) -> dict[str, np.ndarray]:
    return {name: network.masks[name] for name in network.trained.architecture.link_weights}


def _layer(name: str) -> str:
    return name.removesuffix(".weight")
