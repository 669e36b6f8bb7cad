"""Convolutional networks on a CPU: trained and evaluated by the sparse engine; lesions by the population engine."""

from collections.abc import Sequence

from karikomi.data.dataset import Dataset
from karikomi.engines import population, sparse
from karikomi.engines.contract import Advance, Recipe, Trained, Trial
from karikomi.engines.population import activations, knock_out, remove_in_order
from karikomi.engines.sparse import evaluate

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
