"""Convolutional networks on a CPU: the sparse engine, and the population engine for what it does not do."""

from collections.abc import Sequence

import numpy as np

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines import population, sparse
from karikomi.engines.contract import Ablation, Advance, Outcomes, Recipe, Trained, Trial
from karikomi.engines.lesion_input import ZERO, check_examples
from karikomi.engines.population import activations
from karikomi.engines.sparse import evaluate, flow_lesions
from karikomi.engines.sparse.input import check
from karikomi.engines.suitability import why_not_lesioned
from karikomi.networks.subnetwork import Subnetwork

__all__ = ["activations", "evaluate", "knock_out", "remove_in_order", "train"]


def train(
    trials: Sequence[Trial],
    data: Dataset,
    recipe: Recipe,
    advance: Advance | None = None,
    *,
    threads: int | None = None,
) -> list[Trained]:
    """As the sparse engine does; trials whose links change are for the population engine.

    Raises:
        InputError: as theirs.
    """
    changing = [number for number, trial in enumerate(trials) if trial.rewiring is not None]
    others = [number for number, trial in enumerate(trials) if trial.rewiring is None]
    trained = dict(
        zip(others, sparse.train([trials[n] for n in others], data, recipe, advance, threads=threads), strict=True)
    )
    if changing:
        results = population.train([trials[n] for n in changing], data, recipe, advance)
        trained |= zip(changing, results, strict=True)
    return [trained[number] for number in range(len(trials))]


def knock_out(
    subnetwork: Subnetwork, examples: Examples, ablation: Ablation = ZERO, units: np.ndarray | None = None
) -> Outcomes:
    """As the sparse engine does; where units are not the channels of one signal, the population engine.

    Raises:
        InputError: as theirs.
    """
    lesioned = population if _population_lesions(subnetwork, examples) else flow_lesions
    return lesioned.knock_out(subnetwork, examples, ablation, units)


def remove_in_order(
    subnetwork: Subnetwork,
    orders: np.ndarray,
    examples: Examples,
    ablation: Ablation = ZERO,
    advance: Advance | None = None,
) -> Outcomes:
    """See :func:`knock_out`."""
    lesioned = population if _population_lesions(subnetwork, examples) else flow_lesions
    return lesioned.remove_in_order(subnetwork, orders, examples, ablation, advance)


def _population_lesions(subnetwork: Subnetwork, examples: Examples) -> bool:
    check_examples(examples)
    check(subnetwork, examples)
    return why_not_lesioned(subnetwork.architecture) is not None
