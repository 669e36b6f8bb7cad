"""The protocol: score the units of a healthy network, put them in order, remove them one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Outcomes
from karikomi.networks.chain import chain_of
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.networks.units import hidden_units
from karikomi.removal.orders import Direction, adaptive_order, in_proportion, layer_matched, order, random_order
from karikomi.removal.remaining import remaining
from karikomi.removal.scores import unit_criterion
from karikomi.runs.progress import Advance
from karikomi.statistics import f50, largest_drop, robustness
from karikomi.studies.healthy.scoring import ablation_of, evidence
from karikomi.studies.lesion.settings import LesionSettings, Timing
from karikomi.studies.setup import Setup

LesionSetup = Setup[LesionSettings]

TARGETED, RANDOM, MATCHED = "targeted", "random", "layer-matched"

POST_SHARE = 200_000 / 269_322
"""Share of the parameters of 784-256-256-10 that the post's removals left."""


class Arm(NamedTuple):
    """What decides the order; all of it empty for orders that no score decides."""

    criterion: str = ""
    direction: Direction | str = ""
    timing: Timing | str = ""

    @property
    def is_targeted(self) -> bool:
        return bool(self.criterion)


class Piece(NamedTuple):
    """A piece of work: the orders of one arm in one replicate."""

    replicate: int
    arm: Arm


@dataclass(frozen=True)
class Lesioned:
    """What a piece gives: rows of the table, one per order, and per control its curves."""

    rows: list[dict[str, Any]]
    curves: Arrays


def pieces(settings: LesionSettings) -> dict[Piece, int]:
    """All pieces of a run, and how many orders each removes along."""
    s = settings
    own_controls = 0 if s.scope == "layer" else s.orders
    shared = {Arm(): s.orders * (2 if s.scope == "layer" else 1)}
    targeted = {
        Arm(criterion, direction, timing): 1 + own_controls
        for criterion in s.criteria
        for direction in s.directions
        for timing in s.timing
    }
    return {
        Piece(replicate, arm): orders
        for replicate in range(s.replicates)
        for arm, orders in {**shared, **targeted}.items()
    }


def score(setup: LesionSetup, advance: Advance, replicate: int, subnetwork: Subnetwork) -> dict[str, np.ndarray]:
    """The scores of all units of a healthy network by every criterion, on the scoring examples."""
    known = evidence(setup, replicate, subnetwork)
    scores = {}
    for name in setup.settings.criteria:
        scores[name] = unit_criterion(name).function(known)
        advance(1)
    return scores


def lesion(
    setup: LesionSetup, advance: Advance, replicate: int, arm: Arm, subnetwork: Subnetwork, scores: Arrays
) -> Lesioned:
    """Remove all units along the orders of ``arm``, and measure on the test set after every removal.

    With scope ``layer`` every targeted order takes the same layer at the same step, so that one set of layer-matched
    orders, that of the arm without criterion, serves them all; else each arm has its own.
    """
    s, test = setup.settings, setup.data.test
    advance(0, f"replicate {replicate}, {' '.join(filter(None, arm)) or 'random orders'}")
    by_control = dict(_orders(setup, replicate, arm, subnetwork, scores))
    orders = np.concatenate(list(by_control.values()))
    outcomes = setup.engine.remove_in_order(
        subnetwork, orders, test, ablation_of(setup, replicate, subnetwork, test), advance
    )
    rows: list[dict[str, Any]] = []
    curves: dict[str, np.ndarray] = {}
    start = 0
    for control, its_orders in by_control.items():
        ours = slice(start, start := start + len(its_orders))
        its = Outcomes(outcomes.loss[ours], outcomes.correct[ours], outcomes.present)
        left = _left(subnetwork, its_orders)
        where = {"replicate": replicate, **arm._asdict(), "control": control}
        rows += [{**where, **row} for row in _rows(its, left)]
        curves |= {f"{control}/{name}": array for name, array in _curves(its_orders, its, left).items()}
    return Lesioned(rows, curves)
