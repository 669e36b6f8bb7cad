"""Which links a modular network has."""

import numpy as np

from karikomi.errors import InputError
from karikomi.networks.modular.layout import Layout
from karikomi.networks.modular.settings import Modular


def wire(layout: Layout, modular: Modular, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the links: by weight a bool array ``[out, in]``.

    Every input links to every unit of the first hidden layer, and every unit of the last one to every output. Between
    hidden layers each link is drawn on its own: with the probability ``within`` inside a group, with
    long_range · exp(−distance / reach) between two. What no signal passes is left out: a unit that no input leads to,
    or that leads to no output, has no links at all.

    With the same generator a higher probability draws the same links and others besides.

    Raises:
        InputError: if no signal can cross in this draw.
    """
    masks = {name: rng.random(chance.shape) < chance for name, chance in _chances(layout, modular).items()}
    masks = _on_paths(masks)
    if modular.control == "matched":
        masks = {name: rng.permutation(mask.ravel()).reshape(mask.shape) for name, mask in masks.items()}
    if not _reached(list(masks.values()))[-1].all():
        entry, leaving = layout.groups["inputs"][0], layout.groups["output"][0]
        raise InputError(
            f"no signal crosses from group {entry} to group {leaving} in this draw; raise long_range, which is"
            f" {modular.long_range}, or within, which is {modular.within}"
            + ("" if modular.reach is None else f", or reach, which is {modular.reach}")
        )
    return masks


def _chances(layout: Layout, modular: Modular) -> dict[str, np.ndarray]:
    """The probability of every link, float64 ``[out, in]`` by weight."""
    distances, long_range = layout.distances(), layout.long_range()
    first, *between, last = distances
    chances = {name: np.where(long_range[name], 0.0, 1.0) for name in (first, last)}
    for name in between:
        fall = 1.0 if modular.reach is None else np.exp(-distances[name] / modular.reach)
        chances[name] = np.where(long_range[name], modular.long_range * fall, modular.within)
    return {name: chances[name] for name in distances}


def _on_paths(masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The masks without the links that are on no path from an input to an output."""
    gaps = list(masks.values())
    reached, needed = _reached(gaps), _reached([mask.T for mask in gaps[::-1]])[::-1]
    return {name: mask & needed[gap + 1][:, None] & reached[gap] for gap, (name, mask) in enumerate(masks.items())}


def _reached(gaps: list[np.ndarray]) -> list[np.ndarray]:
    """Per layer, to which units a path leads from the first layer, bool ``[units]``; all units of the first layer."""
    reached = [np.ones(gaps[0].shape[1], bool)]
    for mask in gaps:
        reached.append(np.asarray((mask & reached[-1]).any(axis=1)))
    return reached
