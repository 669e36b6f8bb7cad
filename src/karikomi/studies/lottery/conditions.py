"""The arms by name: what each of them is, and what it needs."""

from collections.abc import Mapping
from typing import Literal

Arm = Literal[
    "dense",
    "ticket",
    "reinit",
    "shuffled",
    "random",
    "signed-reinit",
    "constant",
    "reshuffled-weights",
    "inverted",
    "frozen",
    "layerwise-random",
    "supermask",
    "transferred",
    "transferred-reinit",
    "transferred-random",
]

MEANINGS: Mapping[Arm, str] = {
    "dense": "the whole network (always)",
    "ticket": "the links that the criterion leaves, rewound",
    "reinit": "the ticket's mask with new initial weights",
    "shuffled": "the ticket's mask shuffled within each layer, initial weights kept",
    "random": "random removal, initial weights kept; one draw, masks nested over the rounds",
    "signed-reinit": "new initial weights with the signs of the ticket's (Zhou et al. 2019)",
    "constant": "± the standard deviation of the layer's initial weights, the ticket's signs (Zhou et al. 2019)",
    "reshuffled-weights": "the ticket's initial weights permuted within each layer (Zhou et al. 2019)",
    "inverted": "the highest scores go, from the dense network at once (Frankle et al. 2021)",
    "frozen": "what the ticket removes keeps its initial value, untrained, instead of 0 (Zhou et al. 2019)",
    "layerwise-random": "as many links of each layer as the ticket has, at random (Su et al. 2020): at each density the"
    " distribution of shuffled, but nested over the rounds",
    "supermask": "the mask is trained, the weights never; once, at the density that comes out (Zhou et al. 2019)",
    "transferred": "the ticket of start",
    "transferred-reinit": "its mask with new initial weights",
    "transferred-random": "as many links of each layer at random, initial weights of this run",
}
"""What each arm is; of those behind ``ticket`` what differs from it."""

OF_THE_TICKET: tuple[Arm, ...] = (
    *("reinit", "shuffled", "signed-reinit", "constant", "reshuffled-weights", "frozen", "layerwise-random"),
)
"""The arms that are made from a ticket."""

ONCE: tuple[Arm, ...] = ("dense", "supermask")
"""The arms of round 0, which stand beside every density."""

TRANSFERRED: tuple[Arm, ...] = ("transferred", "transferred-reinit", "transferred-random")
"""The arms of the tickets of another run."""
