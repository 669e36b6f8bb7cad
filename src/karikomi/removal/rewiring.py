"""Links that go and grow while a network is trained: dynamic sparse training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from karikomi.engines.contract import Change, Links
from karikomi.graphs.prediction import ch3_l3
from karikomi.removal.masks import lowest

_SAMPLED = 2  # times as many candidates as grow: the sample's error, and links that are there already

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
                kept = _all_but_the_lowest(np.abs(links.weights), count, rng)
                found[name] = Change(kept, self._grown(links, links.places[kept], size, count, rng))
        return found

    def _grown(self, links: Links, taken: np.ndarray, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
        if self.growth == "random":
            return _free(taken, np.sort(rng.choice(size - len(taken), count, replace=False, shuffle=False)))
        free = np.ones(size, bool)
        free[taken] = False
        if self.growth == "gradient":
            assert links.gradient is not None, "asked for"
            scores = np.abs(links.gradient)
        else:
            scores = ch3_l3(~free.reshape(links.shape[0], -1)).ravel()
        candidates = _above(scores, _SAMPLED * count, free)
        if len(candidates) < count:
            candidates = np.flatnonzero(free)
        return candidates[np.sort(lowest(-scores[candidates], count, rng))]


def _all_but_the_lowest(scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which are not the ``count`` lowest, bool; a draw decides between equals."""
    threshold = np.partition(scores, count - 1)[count - 1]
    kept = scores > threshold
    if spared := len(scores) - np.count_nonzero(kept) - count:
        kept[rng.choice(np.flatnonzero(scores == threshold), spared, replace=False)] = True
    return kept


def _above(scores: np.ndarray, count: int, free: np.ndarray) -> np.ndarray:
    """The free places of about the ``count`` highest scores, judged by a sample: to look for the highest among fewer.

    All that score as high as the lowest of them are there.
    """
    sample = scores[:: max(1, len(scores) // 4096)]
    rank = max(0, len(sample) - 1 - count * len(sample) // len(scores))
    found = np.flatnonzero(scores >= np.partition(sample, rank)[rank])
    return found[free[found]]


def _free(taken: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The places of such ranks, ascending, among those that are not ``taken``, which are ascending too."""
    return ranks + np.searchsorted(taken - np.arange(len(taken)), ranks, side="right")
