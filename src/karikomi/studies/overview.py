"""The networks by name: how large they are, and which studies take them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.networks import NETWORKS, Network
from karikomi.studies import STUDIES, find_study

CHEAP = {"replicates": 1, "batch": 1, "validation": 10, "scoring": 2, "criteria": ("random",), "engine": "population"}
CHEAP |= {"given": (), "pairs": 0, "shapley": 0, "deaths": 0.1, "cycles": 1}
"""Settings under which a study is quickly prepared, whatever it is."""


class Overview(NamedTuple):
    """A network, or of a family the example, built for MNIST.

    Attributes:
        name: that of the registry.
        entry: what the registry says of it.
        parameters: how many it has.
        units: how many hidden units.
        studies: the names of those that take it.
    """

    name: str
    entry: Network
    parameters: int
    units: int
    studies: tuple[str, ...]


def overview() -> Iterator[Overview]:
    """All networks, one after the other: each study prepares a run of it on a few images of noise."""
    x, y = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8), np.arange(40) % 10
    data = Dataset.from_arrays(x, y, x, y, name="noise")
    for name, entry in NETWORKS.items():
        example, parameters, units, taken = entry.example or name, 0, 0, []
        for study in map(find_study, STUDIES):
            given = {**CHEAP, "network": example, "networks": (example,)}
            known = {key: value for key, value in given.items() if key in study.settings.model_fields}
            try:
                setup = study.prepare(study.settings.of(**known), data)
            except InputError:
                continue
            taken.append(study.name)
            parameters = sum(parameter.numel() for parameter in setup.architecture.module.parameters())
            units = setup.architecture.units
        yield Overview(name, entry, parameters, units, tuple(taken))
