"""The criterion that looks at nothing."""

import numpy as np

from karikomi.removal.scores.evidence import Evidence


def random(evidence: Evidence) -> dict[str, np.ndarray]:
    """A uniform draw for every link: the control of every other criterion."""
    return {name: evidence.rng.random(mask.shape) for name, mask in evidence.masks.items()}
