"""The lives of a run, and what is kept of each on disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from karikomi.engines.contract import OptimizerState
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.studies.ageing.schedule import Schedule
from karikomi.studies.ageing.settings import SCRATCH, SHAM, AgeingSettings

NO_PATTERN = ""
"""The pattern of what no death reaches: the healthy network, and the arm sham."""


class Life(NamedTuple):
    """A life by its arm and pattern."""

    arm: str
    pattern: str


HEALTHY = Life("healthy", NO_PATTERN)


@dataclass(frozen=True)
class Aged:
    """A network at some age; ``state`` is its optimizer's, None where it was never trained or nothing is kept."""

    network: Subnetwork
    state: OptimizerState | None = None


@dataclass(frozen=True)
class Past:
    """What a cycle of a replicate begins with.

    Attributes:
        healthy: the healthy network.
        schedule: who dies when.
        lives: every life as the last cycle left it.
        scratch: whether networks from scratch belong to this cycle.
    """

    healthy: Subnetwork
    schedule: Schedule
    lives: Mapping[Life, Aged]
    scratch: bool


def lives(settings: AgeingSettings) -> list[Life]:
    """The lives of a replicate, in the order of the table; networks from scratch have none."""
    return [
        Life(arm, pattern)
        for arm in settings.arms
        if arm != SCRATCH
        for pattern in ((NO_PATTERN,) if arm == SHAM else settings.drawn)
    ]


def to_arrays(aged: Mapping[Life, Aged]) -> dict[str, np.ndarray]:
    """Lives as arrays with names."""
    return {
        "/".join((*life, kind, name)): array
        for life, now in aged.items()
        for kind, arrays in _kinds(now)
        for name, array in arrays.items()
    }


def from_arrays(arrays: Arrays, healthy: Subnetwork, settings: AgeingSettings) -> dict[Life, Aged]:
    """The lives that :func:`to_arrays` wrote."""
    found = {life: {kind: {} for kind in ("weights", "mask", "first", "second", "steps")} for life in lives(settings)}
    for path, array in arrays.items():
        arm, pattern, kind, name = path.split("/")
        found[Life(arm, pattern)][kind][name] = array
    return {
        life: Aged(
            Subnetwork(healthy.architecture, kinds["weights"], kinds["mask"]),
            OptimizerState(int(kinds["steps"]["all"]), kinds["first"], kinds["second"]) if kinds["steps"] else None,
        )
        for life, kinds in found.items()
    }


def _kinds(aged: Aged) -> Iterator[tuple[str, Arrays]]:
    yield from (("weights", aged.network.weights), ("mask", aged.network.masks))
    if aged.state is not None:
        yield from (("first", aged.state.first), ("second", aged.state.second))
        yield "steps", {"all": np.array(aged.state.steps)}
