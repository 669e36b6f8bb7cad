"""The lives of a run, and what is kept of each on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from karikomi.engines.contract import OptimizerState
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork
from karikomi.runs.checkpoint import Checkpoint, read_networks
from karikomi.runs.files import write_arrays
from karikomi.studies.ageing.schedule import Schedule
from karikomi.studies.ageing.settings import SCRATCH, SHAM, AgeingSettings
from karikomi.studies.setup import Setup

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


def write_lives(
    path: Path, aged: Mapping[Life, Aged], setup: Setup[AgeingSettings], replicate: int, cycle: int
) -> None:
    """Write all lives of a replicate as a cycle left them."""
    arrays = {
        f"{'/'.join(life)}/{name}": array
        for life, now in aged.items()
        for name, array in Checkpoint(now.network, now.state.groups() if now.state else {}).arrays().items()
    }
    write_arrays(path, arrays, setup.provenance("ageing", replicate, cycle=cycle))


def read_lives(path: Path, architecture: Architecture) -> dict[Life, Aged]:
    """The lives that :func:`write_lives` wrote."""
    return {
        Life(*name.split("/")): Aged(found.trained, OptimizerState.of(found.past))
        for name, found in read_networks(path, architecture).items()
    }
