"""Named random streams.

Every draw in Karikomi comes from one root seed through a stream that has a name and a key (replicate,
round, …). Streams are independent of each other (NumPy's ``SeedSequence`` spawn keys), so adding an arm, a
worker or a draw in one place changes nothing in another.
"""

import numpy as np

# The position in this tuple is part of every result: append, never reorder.
STREAMS = ("split", "init", "order", "reinit", "shuffle", "death", "ties", "dropout", "random", "scores", "lesions")
STREAMS += ("scoring", "donors", "bootstrap", "wiring", "scratch", "regrowth", "probe", "null")
STREAMS += ("test", "labels", "subset", "teacher", "augment")
STREAMS += ("sparse", "rewiring")
STREAMS += ("reshuffle", "layerwise", "supermask")


def sequence(root: int, name: str, *key: int) -> np.random.SeedSequence:
    """The seed sequence of the stream ``name`` for ``key`` (for example replicate, round)."""
    return np.random.SeedSequence(entropy=root, spawn_key=(STREAMS.index(name), *key))


def stream(root: int, name: str, *key: int) -> np.random.Generator:
    """A fresh generator at the beginning of the stream ``name`` for ``key``.

    >>> bool(stream(0, "init", 1).random() == stream(0, "init", 1).random())
    True
    >>> bool(stream(0, "init", 1).random() == stream(0, "order", 1).random())
    False
    """
    return np.random.default_rng(sequence(root, name, *key))
