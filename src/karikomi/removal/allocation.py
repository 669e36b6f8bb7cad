"""How many links each layer keeps when the whole network is to keep so many."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from karikomi.errors import InputError
from karikomi.removal.masks import Masks, remove_links

Allocation = Literal["layer", "uniform", "erk", "global", "lamp"]
Left = Mapping[str, int] | int
"""Links to leave in each layer; or in the whole network, where all layers compete."""


def links_by_layer(masks: Masks) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in masks.items()}


def uniform(masks: Masks, left: int) -> dict[str, int]:
    """Every layer keeps the same share of its links."""
    return _in_proportion(masks, left, dict.fromkeys(masks, 1.0))


def erdos_renyi_kernel(masks: Masks, left: int) -> dict[str, int]:
    """Density in proportion to Σ of the weight's dimensions / Π of them, at most 1 (Evci et al. 2020).

    Of a linear layer it is (units + inputs) / (units · inputs), as in sparse evolutionary training (Mocanu et al.
    2018): layers with few links keep more of them.

    >>> masks = {"a": np.ones((10, 100), bool), "b": np.ones((10, 10), bool)}
    >>> erdos_renyi_kernel(masks, 260)
    {'a': 220, 'b': 40}
    """
    return _in_proportion(masks, left, {name: sum(mask.shape) / mask.size for name, mask in masks.items()})


def lamp(masks: Masks, scores: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """s² / Σ t² over the links t of the layer that score no lower: what competes globally (Lee et al. 2021).

    The highest of every layer has 1, so that no layer empties before all are down to one link.

    Raises:
        InputError: for a negative score.
    """
    scaled = {}
    for name, mask in masks.items():
        alive = scores[name][mask].astype(np.float64)
        if (alive < 0).any():
            raise InputError(f"allocation lamp needs scores from 0 up, and some in {name} are negative")
        order = np.argsort(alive, kind="stable")
        squares = alive[order] ** 2
        no_lower = np.cumsum(squares[::-1])[::-1]
        shares = np.divide(squares, no_lower, out=np.zeros_like(squares), where=no_lower > 0)
        scaled[name] = np.zeros(mask.shape)
        scaled[name][mask] = shares[np.argsort(order)]
    return scaled


def prune(
    masks: Masks,
    scores: Callable[[Masks], Mapping[str, np.ndarray]],
    left: Left,
    rng: np.random.Generator,
    prunings: int = 1,
) -> Masks:
    """Remove links until so many are ``left``, in ``prunings`` of equal rate, with new scores before each.

    Args:
        masks: which links are left.
        scores: gives the scores under some masks; the lowest go.
        left: as in :func:`~karikomi.removal.masks.remove_links`, which says what is refused.
        rng: decides between links of equal score.
        prunings: how many.
    """
    before = links_by_layer(masks)
    for done in range(1, prunings + 1):
        masks = remove_links(masks, scores(masks), _on_the_way(before, left, done / prunings), rng)
    return masks


def _on_the_way(before: Mapping[str, int], left: Left, share: float) -> dict[str, int] | int:
    def between(links: int, goal: int) -> int:
        return round(links * (goal / max(links, 1)) ** share)

    if isinstance(left, int):
        return between(sum(before.values()), left)
    return {name: between(links, left[name]) for name, links in before.items()}


def _in_proportion(masks: Masks, left: int, density: Mapping[str, float]) -> dict[str, int]:
    """Densities in this proportion, at most 1, and exactly ``left`` links in all."""
    links, whole = links_by_layer(masks), set[str]()
    wanted = dict.fromkeys(masks, 0.0)
    while rest := [name for name in masks if name not in whole]:
        factor = (left - sum(links[name] for name in whole)) / sum(density[name] * links[name] for name in rest)
        wanted = {name: links[name] * (1 if name in whole else factor * density[name]) for name in masks}
        if not (over := {name for name in rest if factor * density[name] > 1}):
            break
        whole |= over
    kept = {name: int(number) for name, number in wanted.items()}
    by_remainder = sorted(masks, key=lambda name: kept[name] - wanted[name])
    for name in by_remainder[: left - sum(kept.values())]:
        kept[name] += 1
    return kept
