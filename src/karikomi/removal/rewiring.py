"""Links that go and grow while a network is trained: dynamic sparse training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from karikomi.engines.contract import Change, Growth, Links
from karikomi.engines.sparse.kernels.choosing import Room, grow_anywhere, grow_highest, list_lowest, spare_equals
from karikomi.engines.sparse.kernels.draws import state_of
from karikomi.graphs.prediction import ch3_l3

_ASKED = 3  # times as many of the steepest places as links grow: some have a link, and their number is judged only

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

    @cached_property
    def _draws(self) -> dict[int, np.ndarray]:
        """Where the draws of every step begin: all at once, which takes a tenth of the time that one by one does."""
        key = self.draws.generate_state(4).tolist()
        return {step: state_of([*key, step]) for step in self.steps}

    def draws_at(self, step: int) -> np.ndarray:
        """Where the draws of iteration ``step`` begin: a state as of ``state_of``."""
        return self._draws[step].copy()

    def share_at(self, step: int) -> float:
        """The share of the links that changes after iteration ``step``."""
        return self.share * ((1 + np.cos(np.pi * step / self.until)) / 2 if self.decay == "cosine" else 1)

    def change(self, step: int, weights: Mapping[str, Links]) -> dict[str, Change]:
        """What goes and grows, in weights where something does."""
        draws, share, found = self.draws_at(step), self.share_at(step), {}
        for name, links in weights.items():
            size, left = math.prod(links.shape), len(links.places)
            count = int(share * left) if left < size else 0
            if count:
                room = Room.of(left, size)
                kept = _without_lowest(room, links, size, count, draws)
                free = np.ones(size, bool)
                free[links.places[kept]] = False
                found[name] = Change(kept, np.sort(self._grown(room, links, free, count, draws)))
        return found

    def _grown(self, room: Room, links: Links, free: np.ndarray, count: int, draws: np.ndarray) -> np.ndarray:
        """Places for ``count`` links, of the ``free`` ones."""
        size, many, grown = len(free), int(free.sum()), np.empty(count + 1, np.int64)
        if self.growth == "random":
            bits = np.zeros(-(-size // 64) * 8, np.uint8)
            bits[: -(-size // 8)] = np.packbits(free, bitorder="little")
            grow_anywhere(room, bits.view(np.uint64), many, count, draws, grown)
            return grown[:count]
        if self.growth == "structure":
            places, scores = np.arange(size), ch3_l3(~free.reshape(links.shape[0], -1)).ravel()
        else:
            assert links.steepest, "asked for"
            asked = _ASKED * count
            places, scores = links.steepest(min(asked, size))
            while free[places].sum() < count:
                asked *= _ASKED
                places, scores = links.steepest(min(asked, size))
        there = free[places]
        scores = _ordered(scores[there])
        grow_highest(room, size, places[there], scores, len(scores), count, draws, np.empty_like(scores), grown)
        return grown[:count]


def _without_lowest(room: Room, links: Links, size: int, count: int, draws: np.ndarray) -> np.ndarray:
    """Which links stay: all but the ``count`` lowest; a draw decides between equals."""
    room.sizes[: len(links.places)] = _ordered(np.abs(links.weights))
    found, threshold = list_lowest(room, len(links.places), count)
    room.places[:found] = links.places[room.numbers[:found]]
    if found > count:
        spare_equals(room, size, found, count, threshold, draws)
    kept = np.ones(len(links.places), bool)
    kept[room.numbers[:count]] = False
    return kept


def _ordered(scores: np.ndarray) -> np.ndarray:
    """Numbers that are not negative as whole numbers in the same order, NaN above all others."""
    return scores.view(np.dtype(f"i{scores.itemsize}"))
