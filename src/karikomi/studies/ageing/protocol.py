"""The protocol: units or links die, what is left is measured, it trains, and it is measured again.

All networks that train in a cycle, of every replicate, arm and pattern, go to the engine as one list; those from scratch,
which train for longer, as another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Recipe, Trial
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.deaths import die, surviving_state
from karikomi.removal.homeostasis import restore_variance, scale_by_count
from karikomi.removal.regrowth import regrow
from karikomi.runs.progress import Advance
from karikomi.studies.ageing.lives import ALL_PATTERNS, Aged, Life, Past
from karikomi.studies.ageing.measures import Measured, measure
from karikomi.studies.ageing.schedule import AgeingSetup, dying
from karikomi.studies.ageing.settings import TRAINED
from karikomi.studies.healthy.scoring import scoring_examples

BEFORE, AFTER = "before", "after"
"""When a network is measured: after its deaths in a cycle but before its treatment, and after both."""


class Entry(NamedTuple):
    """A network of a replicate in a cycle."""

    replicate: int
    life: Life
    aged: Aged


@dataclass(frozen=True)
class Cycle:
    """What a cycle gives: rows of the table, and by replicate every life as it is now."""

    rows: list[dict[str, Any]]
    lives: dict[int, dict[Life, Aged]]


def epoch(setup: AgeingSetup) -> int:
    """Training steps in a cycle."""
    s = setup.settings
    return s.retraining if s.retraining is not None else max(1, len(setup.splits[0].train) // s.batch)
