"""Exact removal of links: counts that are met to the link, ties decided by a draw, masks that only shrink."""

from collections.abc import Mapping

import numpy as np

from karikomi.errors import InputError

Masks = Mapping[str, np.ndarray]


def links_left(links: int, rate: float, rounds: int) -> int:
    """Links left of ``links`` after ``rounds`` rounds that each remove the share ``rate``: links · (1 − rate)^rounds.

    Rounded to whole links once, not in every round, so the density never drifts from the formula.

    >>> [links_left(1000, 0.2, n) for n in range(4)]
    [1000, 800, 640, 512]
    """
    return round(links * (1 - rate) ** rounds)


def remove_links(
    masks: Masks, scores: Mapping[str, np.ndarray], left: Mapping[str, int] | int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Remove the links with the lowest scores until exactly ``left`` are left.

    Args:
        masks: per layer a bool array, True where a link is left.
        scores: per layer numbers of the same shape; those of removed links are ignored. The lowest go first.
        left: links to leave, for each layer; or one number for the whole network, and all layers compete (scope
            ``global``).
        rng: decides between links of equal score.

    Returns:
        New masks, nested in the given ones.

    Raises:
        InputError: for a score that is NaN, or if more links are to be left than there are.
    """
    if isinstance(left, int):
        names = list(masks)
        places = np.cumsum([masks[name].size for name in names])[:-1]
        joined = _shrink(
            np.concatenate([masks[name].ravel() for name in names]),
            np.concatenate([scores[name].ravel() for name in names]),
            left,
            rng,
            "the network",
        )
        return {
            name: part.reshape(masks[name].shape) for name, part in zip(names, np.split(joined, places), strict=True)
        }
    return {name: _shrink(mask, scores[name], left[name], rng, name) for name, mask in masks.items()}


def shuffle_links(masks: Masks, among: Masks, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """As many links in every layer, at random places of those that ``among`` has a link at."""
    shuffled = {name: np.zeros(mask.shape, bool) for name, mask in masks.items()}
    for name, mask in masks.items():
        shuffled[name][among[name]] = rng.permutation(mask[among[name]])
    return shuffled


def random_links(among: Masks, left: Mapping[str, int] | int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """So many links at random of those that ``among`` has, as in :func:`remove_links`.

    Fewer links of the same draw (a generator of the same state) are nested in more.
    """
    draw = {name: rng.random(mask.shape) for name, mask in among.items()}
    return remove_links(among, draw, left, rng)


def _shrink(mask: np.ndarray, scores: np.ndarray, left: int, rng: np.random.Generator, where: str) -> np.ndarray:
    alive = np.flatnonzero(mask)
    competing = scores.ravel()[alive]
    if np.isnan(competing).any():
        raise InputError(f"the scores of {where} contain NaN; has its training diverged?")
    if not 0 <= left <= len(alive):
        raise InputError(f"cannot leave {left} links in {where}, which has {len(alive)}")
    shrunk = mask.copy()
    shrunk.ravel()[alive[lowest(competing, len(alive) - left, rng)]] = False
    return shrunk


def lowest(scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Places of the ``count`` lowest scores."""
    if count == 0:
        return np.empty(0, np.int64)
    threshold = np.partition(scores, count - 1)[count - 1]
    below = np.flatnonzero(scores < threshold)
    tied = np.flatnonzero(scores == threshold)
    return np.concatenate([below, rng.choice(tied, count - len(below), replace=False)])
