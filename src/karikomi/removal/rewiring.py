"""Links that go and grow while a network is trained: dynamic sparse training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from karikomi.engines.contract import Change, Links
from karikomi.graphs.prediction import ch3_l3
from karikomi.removal.places import among, free_places, nth_places

_ASKED = 2  # times as many of the steepest places as links grow: some have a link, and their number is not exact

Growth = Literal["random", "gradient", "structure"]
Decay = Literal["cosine", "constant"]


@dataclass(frozen=True)
class Rewiring:
    """Every so many iterations the links of smallest |w| go, and as many grow in the same layer.

    Where they grow says ``growth``: at random places (SET: Mocanu et al. 2018); where |∂L/∂w| of the last minibatch is
    greatest (RigL: Evci et al. 2020); where the score of :func:`~karikomi.graphs.prediction.ch3_l3` is highest, which
    looks at the layer's links alone (CHT: Zhang et al. 2024). A link that has just gone may grow again; a layer in
    which every link is left does not change.

    Attributes:
        every: ΔT, iterations from one change to the next.
        until: T_end, from which iteration on links stay.
        share: α (SET's ζ), of the links of every layer.
        decay: cosine: after iteration t the share is α ½ (1 + cos(π t / T_end)), as in RigL; constant: always α.
        growth: where links grow.
        draws: decide between equals, and where links grow at random.
    """

    every: int
    until: int
    share: float
    decay: Decay
    growth: Growth
    draws: np.random.SeedSequence

    @property
    def steps(self) -> range:
        """After which iterations links change."""
        return range(self.every, self.until, self.every)

    @property
    def gradient(self) -> bool:
        """Whether growth needs the gradients of links that are not there."""
        return self.growth == "gradient"

    @cached_property
    def _key(self) -> list[int]:
        return self.draws.generate_state(4).tolist()

    def share_at(self, step: int) -> float:
        """The share of the links that changes after iteration ``step``."""
        return self.share * ((1 + np.cos(np.pi * step / self.until)) / 2 if self.decay == "cosine" else 1)

    def change(self, step: int, weights: Mapping[str, Links]) -> dict[str, Change]:
        """What goes and grows, in weights where something does."""
        rng = np.random.default_rng([*self._key, step])
        found = {}
        for name, links in weights.items():
            size, left = math.prod(links.shape), len(links.places)
            count = int(self.share_at(step) * left) if left < size else 0
            if count:
                kept = _all_but_the_lowest(links, count, rng)
                free = free_places(links.places, kept, size)
                found[name] = Change(kept, np.sort(self._grown(links, free, size - left + count, count, rng)))
        return found

    def _grown(self, links: Links, free: np.ndarray, many: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Places for ``count`` links, of the ``many`` that are ``free``."""
        if self.growth == "random":
            return nth_places(free, np.sort(rng.choice(many, count, replace=False, shuffle=False)))
        if self.growth == "structure":
            there = among(free, np.arange(math.prod(links.shape)))
            places = np.flatnonzero(there)
            return _highest(places, ch3_l3(~there.reshape(links.shape)).ravel()[places], count, rng)
        assert links.steepest, "asked for"
        for asked in (_ASKED * count, math.prod(links.shape)):
            places, slopes = links.steepest(asked)
            there = among(free, places)
            if np.count_nonzero(there) >= count:
                break
        return _highest(places[there], slopes[there], count, rng)


def _all_but_the_lowest(links: Links, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which are not the ``count`` of smallest |w|, bool; a draw decides between equals."""
    sizes = _ordered(np.abs(links.weights))
    threshold = np.partition(sizes, count - 1)[count - 1]
    kept = sizes > threshold
    if spared := len(sizes) - np.count_nonzero(kept) - count:
        tied = np.flatnonzero(sizes == threshold)
        tied = tied[np.argsort(links.places[tied])]
        kept[rng.choice(tied, spared, replace=False)] = True
    return kept


def _highest(places: np.ndarray, scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The ``count`` places of highest score, not negative; a draw decides between equals."""
    scores = _ordered(scores)
    threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
    above, tied = places[scores > threshold], places[scores == threshold]
    return np.concatenate([above, rng.choice(np.sort(tied), count - len(above), replace=False)])


def _ordered(scores: np.ndarray) -> np.ndarray:
    """Numbers that are not negative as whole numbers in the same order, NaN above all others."""
    return scores.view(np.dtype(f"i{scores.itemsize}"))
