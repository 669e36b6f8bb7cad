"""What a criterion may look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Evidence:
    """What is known of a trained network; the names are those of its link weights.

    Attributes:
        trained: weights at the end of training.
        initial: weights that this training began with.
        masks: which links are left.
        rng: for criteria that draw.
    """

    trained: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray]
    rng: np.random.Generator


Criterion = Callable[[Evidence], dict[str, np.ndarray]]
"""Gives every link a score, an array per layer; the lowest go first."""
