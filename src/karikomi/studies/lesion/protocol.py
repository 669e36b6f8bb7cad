"""The protocol: score the units of a healthy network, put them in order, remove them one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from karikomi import seeds
from karikomi.engines.contract import Outcomes
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.orders import Direction, adaptive_order, in_proportion, layer_matched, order, random_order
from karikomi.removal.remaining import Remaining, remaining
from karikomi.removal.scores import unit_criterion
from karikomi.runs.progress import Advance
from karikomi.statistics import f50, largest_drop, robustness
from karikomi.studies.healthy import scoring
from karikomi.studies.healthy.nulls import null_network
from karikomi.studies.healthy.scoring import ablation_of, evidence
from karikomi.studies.healthy.settings import Null, null_score
from karikomi.studies.lesion.arms import MATCHED, RANDOM, TARGETED, Arm, controls_of
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.publications import PARAMETER_SHARE
from karikomi.studies.setup import Setup
from karikomi.studies.stage import Task

LesionSetup = Setup[LesionSettings]


@dataclass(frozen=True)
class Lesioned:
    """What a task gives: a row of the table per order, and curves, by names that begin with the control."""

    rows: list[dict[str, Any]]
    curves: Arrays


def score(setup: LesionSetup, advance: Advance, task: Task, subnetwork: Subnetwork) -> Arrays:
    """The scores of all units of a healthy network by every criterion, on the scoring examples."""
    return scoring.score(setup, task.replicate, subnetwork, lambda: advance(1))


def lesion(setup: LesionSetup, advance: Advance, task: Task, given: tuple[Subnetwork, Arrays]) -> Lesioned:
    """Remove all units along the orders of an arm, and measure on the test set after every removal.

    Args:
        setup: that of the study.
        advance: hears of removal steps.
        task: the replicate and the arm.
        given: the healthy network and the scores of its units.
    """
    test, replicate, arm, (subnetwork, scores) = setup.data.test, task.replicate, Arm(*task.step), given
    advance(0, f"replicate {replicate}, {' '.join(arm) if arm.is_targeted else 'random orders'}")
    by_control = _orders(setup, replicate, arm, subnetwork, scores)
    every = np.concatenate(list(by_control.values()))
    ablation = ablation_of(setup, replicate, subnetwork, test)
    outcomes = setup.engine.remove_in_order(subnetwork, every, test, ablation, advance)
    rows: list[dict[str, Any]] = []
    curves: dict[str, np.ndarray] = {}
    start = 0
    for control, orders in by_control.items():
        ours = slice(start, start := start + len(orders))
        its = Outcomes(outcomes.loss[ours], outcomes.correct[ours], outcomes.present)
        left = remaining(subnetwork, orders)
        where = {"replicate": replicate, **arm._asdict(), "control": control}
        rows += [{**where, "order": number, **row} for number, row in enumerate(_rows(its, left, setup.data.classes))]
        curves |= {f"{control}/{name}": array for name, array in _curves(orders, its, left).items()}
    return Lesioned(rows, curves)


def _orders(
    setup: LesionSetup, replicate: int, arm: Arm, subnetwork: Subnetwork, scores: Arrays
) -> dict[str, np.ndarray]:
    """By control the orders of an arm, ``[orders, units]``."""
    layer_of = subnetwork.architecture.layer_of
    rng = seeds.stream(setup.settings.seed, "lesions", replicate, *" ".join(arm).encode())
    if arm.is_targeted:
        template = _targeted(setup, replicate, arm, subnetwork, scores)
    else:
        template = in_proportion(np.arange(len(layer_of)), layer_of)
    draw = {
        TARGETED: lambda: template,
        RANDOM: lambda: random_order(len(layer_of), rng),
        MATCHED: lambda: layer_matched(template, layer_of, rng),
    }
    for kind in setup.settings.null:
        draw[kind] = partial(_targeted, setup, replicate, arm, subnetwork, scores, kind)
    return {
        control: np.stack([draw[control]() for _ in range(many)])
        for control, many in controls_of(arm, setup.settings).items()
    }


def _targeted(
    setup: LesionSetup, replicate: int, arm: Arm, subnetwork: Subnetwork, scores: Arrays, null: Null | None = None
) -> np.ndarray:
    """The order by scores, those of the network or of a null network of it."""
    s, by_layer, layer_of = setup.settings, setup.settings.scope == "layer", subnetwork.architecture.layer_of
    direction: Direction = "low" if arm.direction == "low" else "high"
    ties = seeds.stream(s.seed, "ties", replicate, *" ".join((*arm, null) if null else arm).encode())
    if arm.timing == "adaptive":
        network = null_network(setup, replicate, subnetwork, null) if null else subnetwork

        def again(lesioned: Subnetwork) -> np.ndarray:
            return unit_criterion(arm.criterion).function(evidence(setup, replicate, lesioned))

        return adaptive_order(again, network, direction, ties, s.every, layer_of if by_layer else None)
    static = order(scores[null_score(null, arm.criterion) if null else arm.criterion], direction, ties)
    return in_proportion(static, layer_of) if by_layer else static


def _rows(outcomes: Outcomes, left: Remaining, classes: int) -> Iterator[dict[str, Any]]:
    accuracy, loss = outcomes.accuracy, outcomes.loss
    drop, steps = largest_drop(accuracy), accuracy.shape[1] - 1
    share = left.parameters / left.parameters[:, :1]
    at_post = np.where(
        np.isnan(share[:, 0]), np.nan, accuracy[np.arange(len(share)), (share <= PARAMETER_SHARE).argmax(1)]
    )
    columns = {
        "robustness": robustness(accuracy, classes),
        "loss_rise": (loss[:, 1:] - loss[:, :1]).mean(axis=1),
        "f50": f50(accuracy, classes),
        "drop": drop.size,
        "drop_at": drop.step / steps,
        "accuracy": accuracy[:, 0],
        "accuracy_at_half": accuracy[:, steps // 2],
        "accuracy_at_post": at_post,
        "loss": loss[:, 0],
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _curves(orders: np.ndarray, outcomes: Outcomes, left: Remaining) -> dict[str, np.ndarray]:
    """The orders, and after every removal what they leave on average."""
    return {
        "orders": orders.astype(np.int32),
        "links_left": left.links.mean(axis=0),
        "parameters_left": left.parameters.mean(axis=0),
        "accuracy": outcomes.accuracy.mean(axis=0),
        "loss": outcomes.loss.mean(axis=0),
        "class_accuracy": outcomes.class_accuracy.mean(axis=0),
    }
