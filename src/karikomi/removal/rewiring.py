"""Links that go and grow while a network is trained: dynamic sparse training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from karikomi.engines.contract import Change, Links
from karikomi.graphs.prediction import ch3_l3
from karikomi.removal.draws import state_of
from karikomi.removal.places import drop_lowest, grow_anywhere, grow_highest

_ASKED = 3  # times as many of the steepest places as links grow: some have a link, and their number is judged only

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
    def _draws(self) -> dict[int, np.ndarray]:
        """Where the draws of every step begin: all at once, which takes a tenth of the time that one by one does."""
        key = self.draws.generate_state(4).tolist()
        return {step: state_of([*key, step]) for step in self.steps}

    def share_at(self, step: int) -> float:
        """The share of the links that changes after iteration ``step``."""
        return self.share * ((1 + np.cos(np.pi * step / self.until)) / 2 if self.decay == "cosine" else 1)

    def change(self, step: int, weights: Mapping[str, Links]) -> dict[str, Change]:
        """What goes and grows, in weights where something does."""
        draws, share, found = self._draws[step].copy(), self.share_at(step), {}
        for name, links in weights.items():
            size, left = math.prod(links.shape), len(links.places)
            count = int(share * left) if left < size else 0
            if count:
                kept, free = drop_lowest(links.places, _ordered(np.abs(links.weights)), size, count, draws)
                found[name] = Change(kept, self._grown(links, free, size - left + count, count, draws))
        return found

    def _grown(self, links: Links, free: np.ndarray, many: int, count: int, draws: np.ndarray) -> np.ndarray:
        """Places for ``count`` links, of the ``many`` that are ``free``."""
        size = math.prod(links.shape)
        if self.growth == "random":
            return grow_anywhere(free, many, count, draws)
        if self.growth == "structure":
            bits = np.unpackbits(free.view(np.uint8), count=size, bitorder="little")
            scores = ch3_l3(bits.reshape(links.shape[0], -1) == 0).ravel()
            return grow_highest(free, np.arange(size), _ordered(scores), count, draws)
        assert links.steepest, "asked for"
        asked, grown = _ASKED * count, np.empty(0, np.int64)
        while len(grown) < count:
            places, slopes = links.steepest(min(asked, size))
            grown = grow_highest(free, places, _ordered(slopes), count, draws)
            asked *= _ASKED
        return grown


def _ordered(scores: np.ndarray) -> np.ndarray:
    """Numbers that are not negative as whole numbers in the same order, NaN above all others."""
    return scores.view(np.dtype(f"i{scores.itemsize}"))
